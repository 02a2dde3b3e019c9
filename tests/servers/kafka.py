"""A real Apache Kafka of our own, for tests and benchmarks: one KRaft node, started, stopped, killed, paused.

Its jars come by Maven once per version into a cache outside the checkout (``$XDG_CACHE_HOME/stream_seg``). Needs
Java 17 and, for the first time, Maven.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from tests.servers.tls import CA, secured

POM = Path(__file__).with_name("pom.xml")
START_SECONDS = 60.0
STOP_SECONDS = 30.0
FETCH_SECONDS = 600.0
LARGEST_MESSAGE = 16 * 1024 * 1024


class KafkaCannotStart(RuntimeError):
    """Never a reason to skip: what is missing and what Kafka said are in the message."""


def jars() -> Path:
    """The folder with Kafka's jars, fetched if it is not there yet."""
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", POM.read_text())
    if version is None:
        raise KafkaCannotStart(f"{POM} does not name a version of kafka_2.13")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stream_seg"
    home = cache / f"kafka-{version[1]}"
    if home.is_dir():
        return home
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaCannotStart(f"Kafka's jars are not in {home}, and Maven (mvn), which would fetch them, is missing")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "fetching").open("w") as one_at_a_time, tempfile.TemporaryDirectory(dir=cache) as directory:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)  # two Mavens at once may spoil each other's downloads
        if home.is_dir():
            return home
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        fetched = Path(directory) / "libs"
        done = subprocess.run(
            [*command, f"-DoutputDirectory={fetched}"],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
        if done.returncode != 0 or not any(fetched.glob("kafka_2.13-*.jar")):
            raise KafkaCannotStart(f"Maven could not fetch Kafka's jars:\n{done.stdout}{done.stderr}")
        fetched.rename(home)  # atomic: nobody sees half of it
    return home


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class KafkaServer:
    """One broker on free loopback ports, its log in a temporary directory that goes when it stops for good.

    ``KafkaServer(message_max_bytes=…, heap="400m", **{"log.segment.bytes": "1048576"})``: further broker settings by
    name. With `users` (name -> password) it also listens at `secure`: SASL_SSL, SCRAM-SHA-512, by a certificate that
    `ca_file` vouches for; on PLAINTEXT everybody stays ANONYMOUS. `stop` then `start` (or `kill` then `start`) comes
    back on the same ports with the same data; `close`, or leaving the ``with`` block, also removes the data.

    ``KafkaServer.running("127.0.0.1:9092")`` stands for a broker that somebody else runs; it is never signalled.
    """

    def __init__(
        self,
        *,
        message_max_bytes: int = LARGEST_MESSAGE,
        heap: str = "1g",
        users: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.heap = heap
        self._users = users or {}
        self._settings = {"message.max.bytes": str(message_max_bytes), **settings}
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._foreign: str | None = None
        self._ports = (0, 0)
        self._secure = 0

    @classmethod
    def running(cls, bootstrap: str) -> Self:
        server = cls()
        server._foreign = bootstrap
        return server

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients."""
        if self._foreign is not None:
            return self._foreign
        if not self._ports[0]:
            raise RuntimeError("the broker was never started")
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def secure(self) -> str:
        """``host:port`` for `users`."""
        return f"127.0.0.1:{self._secure}"

    @property
    def ca_file(self) -> Path:
        """Whom to trust on `secure` (PEM)."""
        assert self._directory is not None
        return self._directory / CA

    @property
    def ours(self) -> bool:
        """Whether it may be stopped, killed and paused."""
        return self._foreign is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the broker does not run, or is not ours")
        return self._process.pid

    def start(self) -> Self:
        """Starts it, or starts it again on the same data, and waits until it answers."""
        if self._foreign is not None:
            return self
        if self._process is not None:
            raise RuntimeError("the broker runs already")
        java = shutil.which("java")
        if java is None:
            raise KafkaCannotStart("Java (17 or newer) is missing: Kafka cannot start")
        classpath = f"{jars()}/*"
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="stream-seg-kafka-"))
            broker, controller, self._secure = free_ports(3)
            self._ports = (broker, controller)
            self._format(java, classpath)
        log = (self._directory / "output").open("ab")
        with log:
            self._process = subprocess.Popen(
                [java, f"-Xmx{self.heap}", "-cp", classpath, "kafka.Kafka", str(self._directory / "server.properties")],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is for the tests, not for the broker
            )
        self._await_answer()
        return self

    def _format(self, java: str, classpath: str) -> None:
        assert self._directory is not None
        broker, controller = self._ports
        internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._directory / "log"),
            **{f"{topic}.replication.factor": "1" for topic in internal},
            **{f"{topic}.min.isr": "1" for topic in internal if topic != "offsets.topic"},
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            **self._settings,
        }
        if self._users:
            properties |= secured(self._directory, self.secure, properties)
        path = self._directory / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        tool = [java, "-cp", classpath, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(path)]
        for name, password in self._users.items():
            tool += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KafkaCannotStart(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _await_answer(self) -> None:
        assert self._process is not None
        assert self._directory is not None
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.1)
        said = (self._directory / "output").read_text(errors="replace")[-4000:]
        code = self._process.poll()
        self.kill()
        state = f"does not answer after {START_SECONDS:.0f} s" if code is None else f"exited with {code}"
        raise KafkaCannotStart(f"Kafka {state}; it said:\n{said}")

    def _answers(self) -> bool:
        """Whether a metadata request (version 4, all topics) is answered with at least one broker."""
        body = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">ib", -1, 0)
        try:
            with socket.create_connection(("127.0.0.1", self._ports[0]), timeout=5) as raw:
                raw.sendall(struct.pack(">i", len(body)) + body)
                head = raw.recv(16, socket.MSG_WAITALL)
        except OSError:
            return False
        return len(head) == 16 and struct.unpack(">iiii", head)[3] > 0

    def stop(self) -> None:
        """Shuts it down in order; the data stays for another `start`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9; the data stays for another `start`."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)  # a paused process would not hear a SIGTERM
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stops it and removes its data."""
        self.kill()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Creates a topic and waits for its leaders; settings with ``_`` for ``.``: ``cleanup_policy="compact"``."""
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        failed: list[BaseException] = []

        def create() -> None:
            try:
                asyncio.run(self._create_topic(name, partitions, settings))
            except BaseException as error:  # noqa: BLE001 — raised again below, in the caller's thread
                failed.append(error)

        thread = threading.Thread(target=create)  # so that a coroutine may call it too
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return name

    async def _create_topic(self, name: str, partitions: int, configs: dict[str, str]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
            for _, code, *reason in answer.topic_errors:
                if code:
                    raise for_code(code)(f"{name}: {reason}")
            for _ in range(200):
                (topic,) = await admin.describe_topics([name])
                if not topic["error_code"] and all(p["leader"] >= 0 for p in topic["partitions"]):
                    return
                await asyncio.sleep(0.02)
            raise KafkaCannotStart(f"topic {name} got no leaders")
        finally:
            await admin.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def kafka_from_environment() -> KafkaServer:
    """The broker at ``STREAM_SEG_KAFKA`` if that is set, else a new one of ours, not yet started."""
    running = os.environ.get("STREAM_SEG_KAFKA")
    return KafkaServer.running(running) if running else KafkaServer()
