"""Compiled work side by side: kernels let go of the interpreter's lock, so two cores are two cores.

Each piece has its own seed, and results come in the order of the pieces: nothing depends on who was faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
MOST = 4  # a page is not worth more of somebody else's machine


def on_all_cores(work: Callable[[A], B], pieces: Iterable[A]) -> Iterator[B]:
    """What `work` makes of each piece, in their order.

    >>> list(on_all_cores(lambda n: n * n, range(4)))
    [0, 1, 4, 9]
    """
    with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), MOST)) as threads:
        yield from threads.map(work, pieces)
