"""What a process says while it runs: lines on standard error, for a person (``text``) or a machine (``json``).

Through the standard library, since everything under us (Faust, aiokafka) logs there; orjson makes the lines. A library
for structured logs would be one more way beside it. Nothing is said per event.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

Form = Literal["text", "json"]
ALARM = "ALARM "  # begins what a person must hear
WAITING = 1_000  # lines that wait to be written; more are dropped and counted
GOODBYE = 2.0  # seconds: for what still waits when the process ends


class Lines(logging.Handler):
    """Writes lines in a thread of its own: where nobody reads them, a worker goes on, and says later how many it lost.

    A pipe whose reader hangs is full after 64 KB, and whoever writes then waits, for ever if need be.
    """

    def __init__(self, descriptor: int, waiting: int = WAITING) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(waiting)
        self._dropped = 0
        self._dropping = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._write_all, name="log lines", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._count(1)
        except Exception:  # noqa: BLE001  # as logging does: what cannot be formatted must not stop who said it
            self.handleError(record)

    def close(self) -> None:
        """Waits a moment for what is not written yet; for a reader that hangs, no longer than that."""
        if not self._ended:
            self._ended = True
            with suppress(queue.Full):  # nobody reads
                self._lines.put(None, timeout=GOODBYE)
                self._thread.join(GOODBYE)
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            if not self._write(line):  # nobody is there any more; this one is lost as well
                self._count(1)
            elif (dropped := self._dropped) and self._write(self.format(_lost(dropped))):
                self._count(-dropped)

    def _write(self, line: str) -> bool:
        left = memoryview(f"{line}\n".encode(errors="backslashreplace"))
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            return False
        return True

    def _count(self, more: int) -> None:
        with self._dropping:
            self._dropped += more


def _lost(lines: int) -> logging.LogRecord:
    text = "%d log lines were dropped: standard error was not read"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (lines,), None)


class Json(logging.Formatter):
    """One object a line: time, level, stage, logger, message; `alarm` and `error` where there is one."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "stage": self._stage,
            "logger": record.name,
            "message": message.removeprefix(ALARM),
        }
        if message.startswith(ALARM):
            line["alarm"] = True
        error = _error_of(record)
        if error is not None:
            line["error"] = {"kind": type(error).__name__, "message": str(error)}
            if record.exc_info:
                line["error"]["trace"] = self.formatException(record.exc_info)
        # A lone surrogate, out of a file's name or a driver's text, is no UTF-8.
        return orjson.dumps(_readable(line)).decode()


def _error_of(record: logging.LogRecord) -> BaseException | None:
    """What a line is about: the error that it was given, or the first among its words."""
    if record.exc_info and record.exc_info[1] is not None:
        return record.exc_info[1]
    words = (getattr(record, "error", None), *(record.args if isinstance(record.args, tuple) else ()))
    return next((word for word in words if isinstance(word, BaseException)), None)


def _readable(line: Any) -> Any:
    if isinstance(line, dict):
        return {name: _readable(value) for name, value in line.items()}
    return line.encode(errors="backslashreplace").decode() if isinstance(line, str) else line


@contextmanager
def logs(form: Form, stage: str, *, quiet: bool = False) -> Iterator[None]:
    """Sends what is logged within to standard error; `quiet`: only warnings and errors."""
    handler = Lines(sys.stderr.fileno())
    text = logging.Formatter(f"%(asctime)s {stage} %(levelname)s %(message)s", "%H:%M:%S")
    handler.setFormatter(Json(stage) if form == "json" else text)
    handler.addFilter(_worth_a_line)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    for noisy in ("faust", "mode", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Leaves out what Faust's services say of their own starting, stopping and oversleeping."""
    text = record.getMessage()
    return record.levelno > logging.INFO or not (text.startswith(("[^", "Timer ")))
