"""``stream-seg feed``: stored events through running workers, so that a run begins with full windows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream_seg.adapters.files import Form, in_order, read
from stream_seg.bootstrap.feeding import feed_live, was_fed
from stream_seg.config import Config
from stream_seg.errors import ConfigError, Stop
from stream_seg.progress import Tell
from stream_seg.wire.timestamps import rfc3339

FEEDING = "feeding events"


def feed_files(config: Config, inputs: Sequence[str], *, form: Form | None, tell: Tell) -> dict[str, Any]:
    """Feeds everything in order of time, day by day; returns how many events, and up to when.

    Raises `ConfigError` where time is not that of the events, `Stop` where there were events before.
    """
    clock = config.definition.input.clock
    if clock != "event":
        wrong = f"{config.path}: input.clock is `{clock}`, with which events of the past come too late"
        raise ConfigError([f"{wrong}; write `clock: event` for as long as the past is played"])
    if asyncio.run(was_fed(config)):
        raise Stop(
            f"{config.definition.name!r} holds events already; the past is played once, on empty topics and "
            "an empty Redis: give the segmentation another name"
        )
    batches = in_order(read([Path(name) for name in inputs], config.definition.input.mapping, form=form))
    through = 0

    def told(events: int, boundary: int) -> None:
        nonlocal through
        through = boundary
        tell(FEEDING, events, None)

    events = asyncio.run(feed_live(config, batches, told, lambda: None))
    if not events:
        raise Stop(f"{', '.join(inputs)}: no event")
    return {"events": events, "through": rfc3339(through)}
