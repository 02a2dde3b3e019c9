"""docs/configuration.md, made from the sections: ``python -m stream_seg.config.reference > docs/configuration.md``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stream_seg.config.environment import RESERVED, Leaf, section_in
from stream_seg.config.rules import PARTS
from stream_seg.config.scalars import written
from stream_seg.config.sections import Document, FeatureSection
from stream_seg.core.clustering import LEARNERS, OPTIONS
from stream_seg.core.definition import Feature
from stream_seg.core.ready_made import ready_made
from stream_seg.core.views import ACTIVITY, STANDING, WORDS

_HEAD = """\
# Configuration

One YAML file, `segmentation.yaml` unless `--config` (or `STREAM_SEG_CONFIG`) names another;
[examples/segmentation.yaml](../examples/segmentation.yaml) is a commented one. `stream-seg config check` tells every
mistake in it as `file:line:column: key: what is wrong, remedy`.

This page is made by `python -m stream_seg.config.reference`; a test compares them.

* A **duration** is a whole number and a unit: `500ms`, `30s`, `90m`, `12h`, `7d`, `2w`.
* An **offset** is written `"+02:00"`, an amount of **memory** `512mb` or `2gb`.
* Every key that has a variable can be overridden by it; the command line overrides both. Lists are written with
  commas there. A variable called `STREAM_SEG_…` that nothing reads is refused.
* Secrets never stand in the file: they come from a file that it names or from the environment, and show as
  `**********`.
* `name`, `input`, `features`, `time`, `segments`, `tiers` and `levers` decide: workers take them from the log, where
  `stream-seg apply` puts them. `kafka`, `redis` and `run` say where and how one process works. `views` only ask:
  `stream-seg who` takes them from the file, so a change is in force when it is saved. `question`, `good` and a
  feature's `basis` are for `stream-seg choose` alone; `initial_model` counts once, for the first definition.
"""

_VIEWS = """\
## Views

`who` compares terms: `silence > 14d and plan == "plus"`, with `and`, `or`, `not`, `in`, `exists(…)` and parentheses as
in the `where` of a feature. Numbers are compared with numbers, times with durations, segments with a name in quotes or
a number, categories and causes with texts in quotes. A comparison with what a customer does not have is false; in
`rank` it adds nothing, and who has none of its terms is left out and counted.

{rows}

Activity is measured by {kinds}, those with `role: feature` and each at most 3 standard deviations; `recency` and
`mean_gap` count the other way round. Movements are those by the customer's own doing or silence within `lately`; that
a model moved somebody is no news about the customer.

Without `views` there are these, as far as the features allow (`customer.trend` is left out where nothing is a trend):
{made}
"""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD, *_sections(), _aggregates(), _options(), _views(), _reserved()]
    return "\n".join(parts)


def _sections() -> Iterator[str]:
    yield "## Top level\n\n" + _table(Document, ())
    yield from _below(Document, ())


def _below(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = section_in(info)
        if inner is None:
            continue
        listed = "list[" in str(info.annotation)
        title = ".".join((*path, name)) + ("[]" if listed else "")
        yield f"## `{title}`\n\n{inspect.getdoc(inner) or ''}\n\n{_table(inner, (*path, name))}"
        yield from _below(inner, (*path, name + ("[]" if listed else "")))


def _table(model: type[BaseModel], path: tuple[str, ...]) -> str:
    rows = ["| key | type | default | meaning | variable |", "|---|---|---|---|---|"]
    for name, info in model.model_fields.items():
        leaf = Leaf((*(part.removesuffix("[]") for part in path), name), info)
        section = section_in(info) is not None
        kind = "section" if section and "list[" not in str(info.annotation) else leaf.kind
        variable = None if section else leaf.variable
        cells = (f"`{name}`", kind, _default(info, kind), info.description or "", f"`{variable}`" if variable else "")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _default(info: FieldInfo, kind: str) -> str:
    value = info.default
    if value is PydanticUndefined:
        return "**required**"
    if value is None or value in ([], {}) or isinstance(value, BaseModel):
        return ""
    if kind == "duration":
        return f"`{written(value)}`"
    if kind == "offset from UTC":
        return '`"+00:00"`'
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _aggregates() -> str:
    rows = ["| aggregate | needs | also takes |", "|---|---|---|"]
    for name, parts in PARTS.items():
        rows.append(f"| `{name}` | {_names(parts.needs)} | {_names(parts.takes)} |")
    every = [name for name in FeatureSection.model_fields if name in ("name", "role", "words", "transform")]
    return (
        f"## Aggregates\n\nEvery feature takes {_names(tuple(every))}; an outcome takes no `transform`. Times "
        "(`recency`, `tenure`, `mean_gap`, `time_on_site`) are in seconds.\n\n" + "\n".join(rows) + "\n"
    )


def _options() -> str:
    rows = ["| learner | option | range | default | meaning |", "|---|---|---|---|---|"]
    for learner in LEARNERS:
        for name, option in OPTIONS.get(learner, {}).items():
            within = f"{option.least:g} to {option.most:g}"
            rows.append(f"| `{learner}` | `{name}` | {within} | `{option.default:g}` | {option.meaning} |")
    none = _names(tuple(learner for learner in LEARNERS if learner not in OPTIONS))
    return f"## Options of learners\n\nThose of `segments.options`; {none} has none.\n\n" + "\n".join(rows) + "\n"


def _views() -> str:
    rows = ["| term | kind | is |", "|---|---|---|"]
    rows += ["| `<feature>` | number, time or category | the feature now, in its own unit; outcomes too |"]
    rows += [f"| `<feature>{STANDING}` | number | how far it is from everybody's mean, in standard deviations |"]
    rows += [f"| `{name}` | {term.kind} | {term.meaning} |" for name, term in WORDS.items()]
    kinds = _names(tuple(ACTIVITY))
    made = "".join(
        f"\n* `{view.name}`: {view.question}\n  `who: {view.who}`, `rank: {_weights(view.rank)}`"
        for view in ready_made([Feature(name="", aggregate="count"), Feature(name="", aggregate="trend")])
    )
    return _VIEWS.format(rows="\n".join(rows), kinds=kinds, made=made)


def _weights(rank: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{term}: {weight:g}" for term, weight in rank.items()) + "}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _reserved() -> str:
    rows = [f"* `{name}`: {meaning}" for name, meaning in RESERVED.items()]
    return "## Other variables\n\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201  # its output is the page
