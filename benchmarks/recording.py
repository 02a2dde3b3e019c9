"""Daily samples of whole data sets, made by the real feature code: what LEARN would see, day by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks import clickstream
from stream_seg.adapters.files.demo import load as demo_set
from stream_seg.adapters.memory.replay import SAMPLES, Replay
from stream_seg.config import load
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Definition, InputRules, feature_set_version
from stream_seg.core.engine import compile_engine
from stream_seg.core.measures import transform
from stream_seg.core.model import Float64, Int64
from stream_seg.pipeline.feed import TimedEvents
from stream_seg.pipeline.learn_state import Sample

SETS = ("completejourney", "cdnow", "clickstream")
CACHE = Path(__file__).parents[1] / ".cache" / "drift"
NEVER = 1_000_000_000  # customers before the first model: samples are wanted, no model


@dataclass(frozen=True)
class Recording:
    """n samples in order of day and hash.

    raw     (n, columns of `activation`'s plan) in real units
    day     (n,) days since 1970 at whose end the sample is learned
    active  (n,) whether the customer did anything in the day before the sample
    hash    (n,) the customer's
    """

    activation: Activation
    raw: Float64
    day: Int64
    active: npt.NDArray[np.bool_]
    hash: Int64

    def __post_init__(self) -> None:
        plan = compile_engine([self.activation]).plan
        object.__setattr__(self, "plan", plan)

    plan: Any = None

    @property
    def names(self) -> list[str]:
        """The columns that a model sees."""
        return [column.name for column, used in zip(self.plan.columns, self.plan.distance, strict=True) if used]

    def seen(self, raw: Float64) -> Float64:
        """Raw vectors as a model sees them: after clip and log1p, only what is in the distance."""
        x = np.empty_like(raw)
        transform(self.plan.arrays, np.ascontiguousarray(raw), x)
        return np.ascontiguousarray(x[:, self.plan.distance])

    def only(self, chosen: npt.NDArray[np.bool_]) -> Recording:
        """The chosen samples."""
        return Recording(self.activation, self.raw[chosen], self.day[chosen], self.active[chosen], self.hash[chosen])


def recorded(name: str) -> Recording:
    """The samples of one of `SETS`, a sample a customer and day. The first call takes minutes, later ones read them."""
    definition, events = _source(name)
    definition = msgspec.structs.replace(definition, input=InputRules(clock="event"), learn_every=DAY)
    activation = Activation(
        number=1, definition=definition, feature_set_version=feature_set_version(definition), who="bench", at=0,
        why="record samples",
    )  # fmt: skip
    path = CACHE / f"{name}-{activation.feature_set_version}.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **_record(activation, events))
    found = np.load(path)
    return Recording(activation, found["raw"].astype(np.float64), found["day"], found["active"], found["hash"])


def _source(name: str) -> tuple[Definition, Iterable[TimedEvents]]:
    if name == "clickstream":
        return load(clickstream.DEFINITION, {}).definition, clickstream.chunks()
    source = demo_set(name)
    return load(source.definition, {}).definition, source.batches()


def _record(activation: Activation, events: Iterable[TimedEvents]) -> dict[str, Any]:
    learning = msgspec.structs.replace(activation.definition.learning, warm_start=NEVER)
    definition = msgspec.structs.replace(activation.definition, learning=learning)
    activation = msgspec.structs.replace(activation, definition=definition)
    decode = msgspec.json.Decoder(Sample).decode
    raw, rows = [], []
    replay = Replay()
    append = replay.log.append

    def noting(topic: str, key: bytes | None, value: bytes | None, headers: Any = (), **rest: Any) -> Any:
        if topic == SAMPLES and not headers:
            sample = decode(value or b"")
            raw.append(np.array(sample.vector, np.float32))
            rows.append((-(-sample.as_of // DAY), sample.last_event > sample.as_of - DAY, sample.hash))
            return None  # LEARN is not wanted here
        return append(topic, key, value, headers, **rest)

    replay.log.append = noting  # type: ignore[method-assign]  # the only place where every sample comes by
    replay.start(activation)
    replay.run(events, DAY)
    day, active, hashed = (np.array(column) for column in zip(*rows, strict=True))
    order = np.lexsort((hashed, day))
    return {"raw": np.array(raw)[order], "day": day[order], "active": active[order], "hash": hashed[order]}
