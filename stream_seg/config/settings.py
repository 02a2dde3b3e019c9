"""The sections that say where and how a process runs: ``kafka``, ``redis``, ``run``. None of them decides anything."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BeforeValidator, Field, SecretStr

from stream_seg.config.scalars import Header, HeaderFile, Kind, Memory, SecretFile, Text, WebAddress, one_of
from stream_seg.config.section import Section, Words, in_range

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class SecuritySettings(Section):
    """How to reach a Kafka that asks who is there.

    `SASL_PLAINTEXT` is for a network that nobody else hears: names go in clear, and with `PLAIN` passwords too. Secrets
    come from files or from the environment, never from YAML.
    """

    protocol: Annotated[str, BeforeValidator(one_of(*PROTOCOLS)), Kind(" / ".join(PROTOCOLS))] = Field(
        default="PLAINTEXT", description="as Kafka's security.protocol"
    )
    mechanism: Annotated[str, BeforeValidator(one_of(*_MECHANISMS)), Kind(" / ".join(_MECHANISMS))] | None = Field(
        default=None, description="with SASL"
    )
    username: Text | None = Field(default=None, description="with SASL")
    password: SecretStr | None = Field(
        default=None, description="only as STREAM_SEG_KAFKA__SECURITY__PASSWORD; in the file use `password_file`"
    )
    password_file: SecretFile | None = Field(default=None, description="file that holds the password")
    ca_file: Text | None = Field(default=None, description="authorities to trust (PEM); default: the system's")
    cert_file: Text | None = Field(default=None, description="own certificate (PEM)")
    key_file: Text | None = Field(default=None, description="its key (PEM)")

    @property
    def secret(self) -> str | None:
        """The password in clear, for the driver alone."""
        given = self.password or self.password_file
        return given.get_secret_value() if given else None


class KafkaSettings(Section):
    """The broker. Topics are called `<name>.<what>.v1`, consumer groups `<name>-<stage>`."""

    bootstrap: Words = Field(default=["127.0.0.1:9092"], description="first brokers to ask, `host:port`")
    partitions: Annotated[int, in_range(1, 10_000), Kind("whole number")] = Field(
        default=4, description="of the topics that `topics create` makes; more need a migration later"
    )
    replication: Annotated[int, in_range(1, 9), Kind("whole number")] | None = Field(
        default=None, description="copies of each topic; default: 3, or as many as there are brokers"
    )
    security: SecuritySettings = Field(default=SecuritySettings(), description="see *kafka.security*")


class RedisSettings(Section):
    """The store of every customer's state."""

    url: Text = Field(
        default="redis://127.0.0.1:6379/0", description="`redis://`, `rediss://` (TLS) or `unix://`, without a password"
    )
    username: Text | None = Field(default=None, description="of the ACL; default: Redis's own")
    password: SecretStr | None = Field(
        default=None, description="only as STREAM_SEG_REDIS__PASSWORD; in the file use `password_file`"
    )
    password_file: SecretFile | None = Field(default=None, description="file that holds the password")
    memory: Memory | None = Field(
        default=None,
        description="what Redis may use: the embedded server's limit; `doctor` compares it with a real one's",
    )

    @property
    def secret(self) -> str | None:
        """The password in clear, for the driver alone."""
        given = self.password or self.password_file
        return given.get_secret_value() if given else None

    @property
    def connection_url(self) -> str:
        """The URL with user and password in it, for the driver alone. Never shown.

        >>> RedisSettings(url="redis://db:6379/0", password=SecretStr("p@ss")).connection_url
        'redis://:p%40ss@db:6379/0'
        """
        if self.secret is None and self.username is None:
            return self.url
        login = quote(self.username or "", safe="")
        if self.secret is not None:
            login += f":{quote(self.secret, safe='')}"
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))


class RunSettings(Section):
    """One worker process. Nothing here changes what is decided."""

    max_batch: Annotated[int, in_range(1, 100_000), Kind("whole number")] = Field(
        default=4_000, description="records of one partition taken at once at most"
    )
    cache_mb: Annotated[int, in_range(1, 65_536), Kind("whole number")] = Field(
        default=128, description="customer records that a worker with all partitions keeps in memory at most"
    )
    workers: Annotated[int, in_range(1, 256), Kind("whole number")] = Field(
        default=1, description="processes per stage"
    )
    metrics_port: Annotated[int, in_range(0, 65_535), Kind("port")] = Field(
        default=0,
        description="metrics and health of the first process, the next ones count up; 0: none",
    )
    bind: Text = Field(default="127.0.0.1", description="address that metrics and health listen on")
    log: Annotated[Literal["text", "json"], BeforeValidator(one_of("text", "json")), Kind("text / json")] = Field(
        default="text", description="form of the lines on standard error; `json`: one object a line"
    )
    traces: WebAddress | None = Field(
        default=None,
        description="OpenTelemetry collector that spans go to by OTLP over HTTP, `http://host:4318`; default: none",
    )
    traces_header: Header | None = Field(
        default=None,
        description="`Name: value` to send along; only as STREAM_SEG_RUN__TRACES_HEADER, in the file use "
        "`traces_header_file`",
    )
    traces_header_file: HeaderFile | None = Field(default=None, description="file that holds such a header")
    outbox_limit: Annotated[int, in_range(1, 1_000_000), Kind("whole number")] = Field(
        default=2_500, description="messages of a partition not yet published, above which it stops applying"
    )

    @property
    def traces_headers(self) -> dict[str, str]:
        """The header in clear, for the exporter alone."""
        given = self.traces_header or self.traces_header_file
        name, _, value = given.get_secret_value().partition(":") if given else ("", "", "")
        return {name: value.strip()} if name else {}
