"""The two files with which a run begins: ``segmentation.yaml`` and the model version that it names."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from stream_seg.core.definition import Definition, feature_set_version
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.explore.table import CustomerTable

SEGMENTATION, MODEL = "segmentation.yaml", "model.json"
FEWEST = 2  # segments
ASK = "lever: what is done differently for these customers? Until somebody says, the segment is academic"


def segmentation(given: str, *, k: int, names: Sequence[str]) -> str:
    r"""The text of the file that `stream-seg run` takes: the given one, its comments kept, with k segments.

    Levers of the given file are left out: they are about segments of another version, by number. With tiers there are
    neither names nor a model, since a model cannot be given to a tier.

    >>> print(segmentation("name: shop  # ours\nsegments: {k: 9}\n", k=2, names=["a", "b"]).split("levers:")[0])
    name: shop  # ours
    segments: {k: 2, initial_model: model.json}
    <BLANKLINE>
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document: Any = yaml.load(given)
    if document.get("segments") is None:
        document["segments"] = CommentedMap()
    segments = document["segments"]
    segments["k"] = k
    segments.pop("initial_model", None)
    document.pop("levers", None)
    if not document.get("tiers"):
        segments["initial_model"] = MODEL
        document["levers"] = _levers(names)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _levers(names: Sequence[str]) -> CommentedSeq:
    levers = CommentedSeq()
    for number, name in enumerate(names):
        levers.append(CommentedMap(segment=number, name=name))
        levers.yaml_set_comment_before_after_key(number, before=ASK if not number else None, indent=2)
    return levers


def model_of(table: CustomerTable, centers: Float64, names: Sequence[str], learner: str, version: str) -> ModelVersion:
    """Centres in the scale of a table as the version with which a live run begins. `version`: of the feature set."""
    limits = table.limits
    n = len(table.names)
    low, high = (limits.low or (-np.inf,) * n), (limits.high or (np.inf,) * n)
    return ModelVersion(
        version=1,
        tier="all",
        feature_set_version=version,
        learner=learner,
        columns=tuple(table.names),
        centers=tuple(tuple(center) for center in centers.tolist()),
        mean=tuple(table.scaler.mean.tolist()),
        scale=tuple(table.scaler.scale.tolist()),
        clip_low=tuple(None if np.isinf(v) else v for v in low),
        clip_high=tuple(None if np.isinf(v) else v for v in high),
        segments=tuple(names),
        samples=len(table.customers),
        trained_at=table.at,
    ).sealed()


def model_json(table: CustomerTable, centers: Float64, names: Sequence[str], definition: Definition) -> bytes:
    """The file that `segments.initial_model` names: the same as a version for this definition."""
    model = model_of(table, centers, names, definition.learning.learner, feature_set_version(definition))
    return msgspec.json.format(msgspec.json.encode(model))
