"""What a process took: CPU seconds and memory, from ``/proc``."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its threads and the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def resident_mb(pid: int, what: str = "VmRSS") -> float:
    """Resident memory now, or at its peak (``VmHWM``), in MB of 10⁶ bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"process {pid} has no {what}; is it still there?")


def machine_seconds() -> float:
    """CPU seconds that everybody on this machine has taken, waiting for disks not counted."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[i]) for i in (0, 1, 2, 5, 6)) / TICKS


@dataclass(frozen=True, slots=True)
class Reading:
    """The clock and the CPU seconds of some processes at one moment; `machine`: of everybody."""

    at: float
    cpu: dict[str, float]
    machine: float

    @classmethod
    def of(cls, pids: dict[str, int]) -> Reading:
        return cls(time.monotonic(), {name: cpu_seconds(pid) for name, pid in pids.items()}, machine_seconds())

    def since(self, earlier: Reading) -> Reading:
        """What was taken in between."""
        cpu = {name: self.cpu[name] - earlier.cpu[name] for name in self.cpu}
        return Reading(self.at - earlier.at, cpu, self.machine - earlier.machine)
