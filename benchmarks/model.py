"""The model that is in force from the start: ``python -m benchmarks.model`` learned it and wrote ``model.json``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.events import Workload
from stream_seg.adapters.memory.replay import Replay
from stream_seg.config import Config, load
from stream_seg.core.activation import Activation
from stream_seg.core.definition import feature_set_version
from stream_seg.core.model import ModelVersion

HERE = Path(__file__).parent
SEGMENTATION = HERE / "segmentation.yaml"
MODEL = HERE / "model.json"


def activation(config: Config, model: ModelVersion | None) -> Activation:
    """The first activation of a benchmark's log."""
    definition = config.definition
    return Activation(
        number=1, definition=definition, feature_set_version=feature_set_version(definition), model=model,
        who="bench", at=0, why="in force from the start",
    )  # fmt: skip


def committed() -> ModelVersion:
    """The model of `MODEL`. Raises `Stop` where a byte of it was changed."""
    return msgspec.json.decode(MODEL.read_bytes(), type=ModelVersion).verify()


def learn() -> ModelVersion:
    """The model of a day boundary of a smaller population that is as active as the measured one."""
    config = load(SEGMENTATION, {})
    replay = Replay()
    replay.start(activation(config, None))
    replay.run(Workload(100_000, customers=2_000).chunks(), config.definition.learn_every)
    versions = [msgspec.json.decode(record.value or b"", type=ModelVersion) for record in replay.take("models")]
    return versions[-1]


if __name__ == "__main__":
    MODEL.write_bytes(msgspec.json.format(msgspec.json.encode(learn().verify()), indent=1) + b"\n")
