"""Gives the pages of LLVM back: numba loads it whole to read compiled kernels, and then it is hardly looked at again.

They are 65 of a worker's 300 MB, all of them unchanged pages of a file: whatever is needed after all is read again.
"""

from __future__ import annotations

import asyncio
import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

LIBRARY = "libllvmlite"
DONTNEED = 4  # MADV_DONTNEED of madvise(2)
FIRST, LONGEST = 0.5, 30.0  # seconds between two looks: a changed definition loads kernels again
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) ")


def give_back(smaps: Path = Path("/proc/self/smaps")) -> int:
    """Bytes that were given back. Zero where the system shows no mappings (not Linux) or LLVM is not loaded."""
    if not smaps.exists():
        return 0
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    given = 0
    for start, size, resident in _unchanged(smaps.read_text(), LIBRARY):
        if madvise(start, size, DONTNEED) == 0:
            given += resident
    return given


def _unchanged(smaps: str, library: str) -> Iterator[tuple[int, int, int]]:
    r"""(start, size, resident bytes) of a library's read-only mappings of which nothing was written.

    What the loader has relocated is this process's own and must stay: it would be read again as the file has it.

    >>> page = "7f00-8f00 r-xp 00000000 00:1b 7 /lib/x.so\nRss: 4 kB\nPrivate_Dirty: 0 kB\nAnonymous: 0 kB\n"
    >>> list(_unchanged(page + page.replace("Dirty: 0", "Dirty: 4"), "x.so"))
    [(32512, 4096, 4096)]
    """
    for block in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", smaps):
        head, _, rest = block.partition("\n")
        mapping = _MAPPING.match(head)
        if mapping is None or library not in head or "w" in mapping[3]:
            continue
        size = {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+): +(\d+) kB", rest, re.MULTILINE)}
        if size["Rss"] and not size["Private_Dirty"] and not size["Anonymous"]:
            start = int(mapping[1], 16)
            yield start, int(mapping[2], 16) - start, size["Rss"]


async def keep_giving_back() -> NoReturn:
    """As long as the process runs."""
    pause = FIRST
    while True:
        await asyncio.sleep(pause)
        give_back()
        pause = min(2 * pause, LONGEST)
