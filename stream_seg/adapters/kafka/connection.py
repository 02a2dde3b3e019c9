"""How to reach Kafka, for every client of this package alike, and its errors as ours."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NoBrokersAvailable,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedVersionError,
)

from stream_seg.errors import Stop, Unavailable

REFUSED = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedVersionError,
)


ASK_MS = 5_000  # for the answer of one broker that is asked why


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks, by SASL; `mechanism` as Kafka calls it."""

    mechanism: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Broker:
    """``host:port[,host:port…]`` of a cluster; with `tls` over TLS, with `login` by name."""

    bootstrap: str
    login: Login | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def client(self) -> dict[str, Any]:
        """What every client of aiokafka is given.

        >>> Broker("kafka:9092").client
        {'bootstrap_servers': ['kafka:9092'], 'security_protocol': 'PLAINTEXT'}
        """
        given: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self._protocol}
        if self.tls is not None:
            given["ssl_context"] = self.tls
        if self.login is not None:
            given["sasl_mechanism"] = self.login.mechanism
            given["sasl_plain_username"], given["sasl_plain_password"] = self.login.username, self.login.password
        return given

    @property
    def _protocol(self) -> str:
        if self.login is not None:
            return "SASL_PLAINTEXT" if self.tls is None else "SASL_SSL"
        return "PLAINTEXT" if self.tls is None else "SSL"

    @property
    def servers(self) -> list[str]:
        return [server.strip() for server in self.bootstrap.split(",") if server.strip()]

    def url(self, scheme: str) -> str:
        """Faust writes several brokers as ``scheme://a:1;scheme://b:2``."""
        return ";".join(f"{scheme}://{server}" for server in self.servers)


@contextmanager
def kafka_errors(doing: str) -> Iterator[None]:
    """Turns what aiokafka raises into `Unavailable` (worth trying again) or `Stop` (Kafka refuses)."""
    try:
        yield
    except REFUSED as error:
        raise Stop(f"{doing}: Kafka refuses: {error}; check the credentials and the access rules") from error
    except (KafkaConnectionError, NoBrokersAvailable) as error:
        raise Unavailable(f"{doing}: no broker answers; is it running?") from error
    except KafkaError as error:
        raise Unavailable(f"{doing}: {error}") from error
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"{doing}: {str(error) or type(error).__name__}") from error


@asynccontextmanager
async def connecting(broker: Broker) -> AsyncIterator[None]:
    """`kafka_errors` around the start of a client; where none of the brokers lets it in, it says what each of them did.

    aiokafka goes on to the next broker whatever the reason and keeps the reason to itself: a wrong password would look
    like a broker that is away.
    """
    with kafka_errors(f"connecting to {broker.bootstrap}"):
        try:
            yield
        except (KafkaConnectionError, NoBrokersAvailable) as error:
            reasons = "; ".join([reason async for reason in _refusals(broker)]) or "they answer now"
            raise Unavailable(
                f"connecting to {broker.bootstrap}: no broker lets us in ({reasons}); is it running, are "
                "kafka.bootstrap and kafka.security right?"
            ) from error


async def _refusals(broker: Broker) -> AsyncIterator[str]:
    """Why a connection to each of the brokers fails, of those where it does."""
    settings = {name: value for name, value in broker.client.items() if name != "bootstrap_servers"}
    for host, port, _ in collect_hosts(broker.servers, randomize=False):
        try:
            connection = await create_conn(host, port, request_timeout_ms=ASK_MS, **settings)
            connection.close()
        except (KafkaError, OSError, TimeoutError) as error:
            yield f"{host}:{port}: {str(error) or type(error).__name__}"


class OncePerWhile(logging.Filter):
    """Lets a message through at most once per `seconds` and place in the code it comes from.

    aiokafka logs each failed try to connect; in an outage that is dozens of equal lines a second.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, place = self._clock(), (record.pathname, record.lineno)
        if now - self._last.get(place, -self._seconds) < self._seconds:
            return False
        self._last[place] = now
        return True


CHATTY = (
    "aiokafka",
    "aiokafka.client",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


def calm(seconds: float = 10.0, names: Collection[str] = CHATTY) -> None:
    """Puts `OncePerWhile` on aiokafka's loggers, once."""
    for name in names:
        logger = logging.getLogger(name)
        if not any(isinstance(f, OncePerWhile) for f in logger.filters):
            logger.addFilter(OncePerWhile(seconds))


async def until(event: asyncio.Event, seconds: float) -> bool:
    """Sleeps up to `seconds`; True as soon as `event` is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
