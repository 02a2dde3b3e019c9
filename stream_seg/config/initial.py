"""``segments.initial_model``: a version learned elsewhere, with which the first definition comes into force."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream_seg.config.problems import KeyPath, Tell
from stream_seg.core.definition import BASE, Definition, feature_set_version
from stream_seg.core.model import ModelVersion

WHERE: KeyPath = ("segments", "initial_model")
AGAIN = "make it again with `stream-seg choose`"


def initial_model(named: str | None, file: Path, definition: Definition, tell: Tell) -> ModelVersion | None:
    """The version in the file `named` (seen from the folder of `file`), or None where there is none or it is wrong."""
    if named is None:
        return None
    path = file.parent / named
    try:
        model = msgspec.json.decode(path.read_bytes(), type=ModelVersion)
    except OSError as error:
        tell(
            WHERE, f"{path} cannot be read ({error.strerror}), name the model.json beside the file or take the line out"
        )
        return None
    except msgspec.DecodeError as error:
        tell(WHERE, f"{path} is not a model version ({error}), {AGAIN}")
        return None
    wrong = _wrong(model, definition)
    if wrong:
        tell(WHERE, wrong)
        return None
    return model


def _wrong(model: ModelVersion, definition: Definition) -> str:
    if not model.intact:
        return f"the model does not match its checksum: it was changed by hand or cut off, {AGAIN}"
    if not _whole(model):
        return (
            f"the parts of the model do not fit together: columns, centres, scale and names differ in length, {AGAIN}"
        )
    ours = feature_set_version(definition)
    if model.feature_set_version != ours:
        return (
            f"the model was learned on other features ({model.feature_set_version}, the file has {ours}), {AGAIN}, or "
            "take the line out"
        )
    if len(model.alive) != definition.learning.k:
        return f"the model has {len(model.alive)} segments and `k` says {definition.learning.k}, make them the same"
    if model.tier != BASE or definition.tiers:
        return "a model can be given only where there are no tiers, take the line out"
    return ""


def _whole(model: ModelVersion) -> bool:
    vectors = (model.mean, model.scale, model.clip_low, model.clip_high, *(one for one in model.centers if one))
    return {len(vector) for vector in vectors} == {len(model.columns)} and len(model.segments) == model.k
