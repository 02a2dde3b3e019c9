"""``segmentation.yaml`` as it goes on: the file that was given, its comments kept, with what was chosen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

MODEL = "model.json"
ASK = "lever: what is done differently for these customers? Until somebody says, the segment is academic"


def segmentation(given: str, *, k: int, names: Sequence[str]) -> str:
    r"""The text of the file that `stream-seg run` takes.

    Levers of the given file are left out: they are about segments of another version, by number.

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
    segments = document.setdefault("segments", CommentedMap())
    segments["k"] = k
    segments["initial_model"] = MODEL
    levers = CommentedSeq()
    for number, name in enumerate(names):
        entry = CommentedMap(segment=number, name=name)
        levers.append(entry)
        levers.yaml_set_comment_before_after_key(number, before=ASK if not number else None, indent=2)
    document["levers"] = levers
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()
