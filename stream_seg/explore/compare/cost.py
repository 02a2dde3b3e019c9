"""What a method costs on this machine. The only figures that depend on a clock: they go into a file of their own."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STATUS, _PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Cost:
    """What something took.

    seconds      by the clock on the wall, others on the machine included; cpu_seconds: of this process alone
    peak_mb      that the process grew by at its peak; None where the system does not tell
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self.peak_mb: float | None = None


@contextmanager
def measured() -> Iterator[Cost]:
    """Measures what happens inside."""
    cost = Cost()
    before = _begun()
    start, worked = time.perf_counter(), time.process_time()
    yield cost
    cost.seconds, cost.cpu_seconds = time.perf_counter() - start, time.process_time() - worked
    after = _resident("VmHWM")
    if before is not None and after is not None:
        cost.peak_mb = max(0.0, after - before)


def _begun() -> float | None:
    """Begins a new peak (Linux); what is resident now. What is free but kept goes back first: it would hide growth."""
    with suppress(AttributeError):  # another C library: the peak is then a lower bound
        ctypes.CDLL(None).malloc_trim(0)
    try:
        _PEAK.write_text("5")
    except OSError:
        return None
    return _resident("VmRSS")


def _resident(which: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(which)), None)
