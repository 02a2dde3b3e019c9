"""``stream-seg run``: one process per stage and worker, watched until they are to end."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from stream_seg.bootstrap.saying import say
from stream_seg.bootstrap.systemd import ServiceManager
from stream_seg.bootstrap.warming import warm
from stream_seg.errors import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOOK_SECONDS = 0.1
GRACE_SECONDS = 12.0  # a stage ends within ten
QUICK_SECONDS = 30.0  # a process that lived for less counts as failing at start
MOST_QUICK_FAILURES = 5
MISCONFIGURED = 2  # a worker ends with it where trying again is of no use
IN_ORDER = (0, -signal.SIGTERM)  # the second: it had not begun to listen, so it had not begun anything


@dataclass
class _Child:
    """`number`: the how-manieth of all processes, from 0."""

    stage: str
    number: int
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    failures: int = 0


class Supervisor:
    """Starts the processes, restarts those that fail, and ends them: in order at one signal, at once at two."""

    def __init__(
        self,
        config: Path,
        stages: Sequence[str],
        workers: int,
        environment: Mapping[str, str],
        *,
        embedded: bool,
        quiet: bool = False,
        metrics_port: int = 0,
        bind: str = "127.0.0.1",
    ) -> None:
        self._config = config
        self._metrics_port, self._bind = metrics_port, bind
        self._flags = [flag for flag, wanted in (("--embedded", embedded), ("--quiet", quiet)) if wanted]
        self._stages = [stage for stage in stages for _ in range(workers)]
        self._environment = dict(environment)
        self._children: list[_Child] = []
        self._signals = 0

    def run(self) -> None:
        """Returns when all processes ended in order after a signal. Raises `Stop` when one cannot be kept running."""
        above = ServiceManager(self._environment)
        with self._listening():
            self.start()
            above.ready()
            try:
                while not self._signals:
                    time.sleep(LOOK_SECONDS)
                    self.check()
                    above.look(self._ports, self._bind)
            finally:
                above.stopping()
                self.stop()

    def start(self) -> None:
        """Starts everything; compiles the kernels first where nobody has yet."""
        warm()
        self._children = [
            _Child(stage, number, self._launch(stage, number)) for number, stage in enumerate(self._stages)
        ]

    def check(self) -> None:
        """Restarts what failed. Raises `Stop` when a process fails again and again right after its start."""
        for child in self._children:
            code = child.process.poll()
            if code is None:
                continue
            if code == MISCONFIGURED:
                raise Stop(f"{child.stage} cannot work with its configuration; see above")
            lived = time.monotonic() - child.started
            child.failures = child.failures + 1 if lived < QUICK_SECONDS else 1
            if child.failures >= MOST_QUICK_FAILURES:
                raise Stop(
                    f"{child.stage} ended {child.failures} times right after its start, last with {code}; see above"
                )
            say(f"{child.stage} ended with {code} after {lived:.0f} s; starting it again", logging.WARNING)
            time.sleep(min(0.2 * 2**child.failures, 5.0))
            child.process, child.started = self._launch(child.stage, child.number), time.monotonic()

    def stop(self) -> None:
        """Asks every process to finish, and waits. Raises `Stop` where one did not end in order."""
        for child in self._children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.process.poll() is None for child in self._children):
            if self._signals > 1 or time.monotonic() > deadline:
                for child in self._children:
                    if child.process.poll() is None:
                        child.process.kill()
            time.sleep(LOOK_SECONDS)
        codes = [(child.stage, child.process.returncode) for child in self._children]
        bad = [f"{stage} with {code}" for stage, code in codes if code not in IN_ORDER]
        if self._signals > 1:
            raise SystemExit(128 + signal.SIGINT)
        if bad:
            raise Stop(
                f"not everything ended in order: {', '.join(bad)}; nothing is lost, the next run goes on from there"
            )

    @property
    def pids(self) -> list[int]:
        """The processes, in the order of the stages."""
        return [child.process.pid for child in self._children]

    @property
    def _ports(self) -> list[int]:
        """Where the processes tell their health; none where nobody asked for it."""
        return [self._metrics_port + child.number for child in self._children if self._metrics_port]

    def _launch(self, stage: str, number: int) -> subprocess.Popen[bytes]:
        port = self._metrics_port + number if self._metrics_port else 0
        environment = {**self._environment, "STREAM_SEG_RUN__METRICS_PORT": str(port)}
        command = [sys.executable, "-m", "stream_seg.bootstrap.worker", stage, str(self._config), *self._flags]
        # A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which ends them in order. The pipe
        # closes when the supervisor dies in any way, and a worker whose pipe closes ends in order too.
        return subprocess.Popen(  # noqa: S603  # our own module, with the file that the person named
            command, env=environment, stdin=subprocess.PIPE, start_new_session=True
        )

    @contextmanager
    def _listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
