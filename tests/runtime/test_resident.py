"""The pages of LLVM go back to the system, and what is compiled afterwards works all the same."""

import subprocess
import sys
from pathlib import Path

from stream_seg.bootstrap.resident import give_back

LOOK = """
import numba
from stream_seg.bootstrap.resident import give_back

def resident():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

double = numba.njit(lambda x: 2 * x)
assert double(3) == 6
before = resident()
given = give_back()
print(given, before - resident())
halve = numba.njit(lambda x: x / 2)  # needs LLVM once more
assert halve(3) == 1.5 and double(4) == 8
"""


def test_llvm_is_given_back_and_still_works() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    given, less = map(int, done.stdout.split())
    assert given > 40_000_000
    assert less > 0.9 * given


def test_a_system_that_shows_no_mappings_is_left_alone(tmp_path: Path) -> None:
    assert give_back(tmp_path / "smaps") == 0
