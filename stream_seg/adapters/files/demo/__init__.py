"""Real purchases to try things on, out of packages: a grocery year and the CDNOW customers.

Each comes with its own ``segmentation.yaml`` beside this file. Loading is deterministic: the same events, byte for
byte, every time.
"""

from __future__ import annotations

from stream_seg.adapters.files.demo import cdnow, completejourney
from stream_seg.adapters.files.sources import EventSource
from stream_seg.errors import ConfigError

_SOURCES = {"completejourney": completejourney.load, "cdnow": cdnow.load}
NAMES = tuple(_SOURCES)


def load(name: str, days: int | None = None) -> EventSource:
    """The data set of this name; only its first `days` where given. Nothing is read before it is asked for.

    Raises
    ------
    ConfigError
        There is no such data set, or the extra ``demo`` is not installed.
    """
    if name not in _SOURCES:
        raise ConfigError([f"demo: there is no data set {name}, choose from {', '.join(NAMES)} (DEMO_DATA)"])
    if days is not None and days < 1:
        raise ConfigError([f"demo: {days} days are no days, ask for 1 at least"])
    return _SOURCES[name](days)


__all__ = ["NAMES", "load"]
