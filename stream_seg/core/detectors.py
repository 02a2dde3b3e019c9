"""river's drift detectors over customer-days, for those who want them instead of the charts.

They look at single values and take rows of one customer on many days for independent ones: on most features they alarm
far more often than a chart of daily means, which is why they are not the default. river keeps its state where it
cannot be written down, so the values since the last alarm are kept instead, a bounded number, and a detector is fed
with them anew each day. What it says then is a function of these values; its arithmetic is river's and the C library's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from river import base, drift

from stream_seg.core.model import Float64
from stream_seg.errors import Stop

A_DAY = 128  # customers of a day, those with the smallest hashes


class _Kind(NamedTuple):
    """make: a new detector; kept: values from before that it is fed with again."""

    make: Callable[[], base.DriftDetector]
    kept: int


_KINDS = {
    "adwin": _Kind(drift.ADWIN, 4_096),
    "page_hinkley": _Kind(drift.PageHinkley, 4_096),
    "kswin": _Kind(lambda: drift.KSWIN(seed=7), 99),  # it sees 100 values, and tests at each of them
}
DETECTORS = tuple(_KINDS)


def detect(name: str, kept: bytes, values: Float64) -> tuple[bool, bytes]:
    """Whether a detector finds a change among a day's values, and what to keep for the next day.

    kept  what the last call gave; values: of this day, in the detector's unit, in order of the customers' hashes

    >>> quiet, kept = detect("adwin", b"", np.zeros(128))
    >>> for _ in range(3):
    ...     quiet, kept = detect("adwin", kept, np.zeros(128))
    >>> quiet, detect("adwin", kept, np.full(128, 3.0))[0]
    (False, True)
    """
    if name not in _KINDS:
        raise Stop(f"no drift detector is called {name!r}; there are: ewma, {', '.join(_KINDS)}")
    kind = _KINDS[name]
    detector = kind.make()
    before = np.frombuffer(kept, "<f4").astype(np.float64)
    today = values[:A_DAY].astype("<f4").astype(np.float64)
    for value in before.tolist():
        detector.update(value)
    found = False
    since = 0
    for i, value in enumerate(today.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found, since = True, i + 1
    rest = today[since:] if found else np.concatenate([before, today])
    return found, rest[-kind.kept :].astype("<f4").tobytes()
