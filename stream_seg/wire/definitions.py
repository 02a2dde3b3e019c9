"""What LEARN publishes: versions, what each segment means, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from stream_seg.core.definition import Definition
from stream_seg.core.lineage import Change
from stream_seg.core.model import Float64, Int64, ModelVersion
from stream_seg.core.plan import Column
from stream_seg.core.profile import categories, measures
from stream_seg.ports import Message
from stream_seg.wire.output import DEFINITIONS, MODELS, cloud_event
from stream_seg.wire.timestamps import rfc3339

Bools = npt.NDArray[np.bool_]

LEARN_PROGRESS = "learn-progress"
KEPT = 20  # entries of a segment's history


class Happened(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of a segment's history."""

    at: str
    change: str
    model_version: int
    name: str
    of: list[str] | None = None


def model_message(model: ModelVersion, name: str) -> Message:
    """A version, whole. `name`: the definition's."""
    key = f"{model.tier}:{model.version}"
    headers = cloud_event("model", key, name, rfc3339(model.trained_at), key.encode())
    return Message(MODELS, key.encode(), msgspec.json.encode(model), headers)


@dataclass(frozen=True)
class Described:
    """What is needed to say what a version's segments mean.

    raw            (customers, columns) the learner's table in real units
    before, after  the segment of each of them under the version before and under this one, (customers,); -1: none
    lineage        what became of each segment
    active         (customers,) who did something in the last 30 days
    settled        (customers,) who has been in one segment for 30 days or more; empty: too early to tell
    moved          (from, to) -> how many of them moved so in the last 30 days
    again          nothing changed, its customers are others by now
    withdrawn      the version that was announced and does not come; None: it is not about one
    """

    model: ModelVersion
    definition: Definition
    columns: Sequence[Column]
    raw: Float64
    before: Int64
    after: Int64
    lineage: Sequence[Change]
    active: Bools
    settled: Bools
    moved: Mapping[tuple[int, int], int]
    again: bool = False
    withdrawn: int | None = None


def definition_messages(
    told: Described, history: dict[int, list[Happened]], *, announced: int, active_from: int
) -> list[Message]:
    """What each segment of a version means, and of those that it ends what became of them.

    announced, active_from: ms. `history` of each segment grows (changed in place), unless nothing changed.
    """
    levers = {lever.segment: lever for lever in told.definition.levers}
    names = dict(enumerate(told.model.segments)) | {n: lever.name for n, lever in levers.items() if lever.name}
    last = {number: past[-1].name for number, past in history.items() if past}
    messages = []
    for change in told.lineage:
        number, past = change.segment, history.setdefault(change.segment, [])
        name = names.get(number) or last.get(number, f"segment {number}")
        at = rfc3339(announced)
        if not told.again:
            past.append(Happened(at, change.kind, told.model.version, name, [str(n) for n in change.of] or None))
            del past[:-KEPT]
        lever = levers.get(number)
        here, before = told.after == number, told.before == number
        size, columns = int(here.sum()), told.columns[: told.raw.shape[1]]
        body: dict[str, Any] = {
            "tier": told.model.tier,
            "segment": str(number),
            "name": name,
            "description": _description(name, size, told),
            "what_changed": _words(change, names, last, told),
            "customers_affected": change.customers,
            "size": size,
            "share": round(size / len(told.raw), 6) if len(told.raw) else 0.0,
            "reach": _share(told.active, here),
            "stability": _stability(number, here, told),
            "profile": measures(columns, told.raw[here], told.raw, told.raw[before]),
            "categories": categories(columns, told.raw[here], told.raw),
            "moved_in": {str(a): n for (a, b), n in sorted(told.moved.items()) if b == number},
            "moved_out": {str(b): n for (a, b), n in sorted(told.moved.items()) if a == number},
            "lever": lever.lever if lever else None,
            "owner": lever.owner if lever else None,
            "question": lever.question if lever else None,
            "announced_at": at,
            "active_from": rfc3339(active_from),
            "model_version": told.model.version,
            "history": [msgspec.to_builtins(entry) for entry in past],
            "change": change.kind,
        }
        key = f"{told.model.tier}:{number}"
        id_ = f"{key}:{told.model.version}:{announced}"
        if told.withdrawn is not None:
            id_ += f":{told.withdrawn}"
        headers = cloud_event("segment-definition", id_, told.definition.name, at, key.encode())
        messages.append(Message(DEFINITIONS, key.encode(), orjson.dumps(body), headers))
    return messages


def _stability(number: int, here: Bools, told: Described) -> float | None:
    """Of those who were in a segment for the last 30 days or left it meanwhile, the share that stayed."""
    if not len(told.settled):
        return None
    stayed = int(told.settled[here].sum())
    left = sum(customers for (old, _), customers in told.moved.items() if old == number)
    return round(stayed / (stayed + left), 6) if stayed or left else None


def _share(of: Bools, among: Bools) -> float | None:
    """The share of those among whom it is so; None where there is nobody."""
    return round(float(of[among].mean()), 6) if among.any() else None


def _description(name: str, size: int, told: Described) -> str:
    if not len(told.raw):
        return f"{name[:1].upper()}{name[1:]}."
    return f"{name[:1].upper()}{name[1:]}: {size / len(told.raw):.0%} of the customers learned from."


def _words(change: Change, names: dict[int, str], last: dict[int, str], told: Described) -> str:
    if told.again:
        return "nothing; its customers were measured again"
    if told.withdrawn is None:
        return _what_changed(change, names, last)
    ends = "it never came into force" if change.kind == "retired" else "this one stays as it is"
    return f"version {told.withdrawn}, which was announced, does not come: {ends}"


def _what_changed(change: Change, names: dict[int, str], last: dict[int, str]) -> str:
    """In words, what became of a segment.

    >>> _what_changed(Change("split", 4, (1,), 120), {1: "regulars", 4: "night owls"}, {})
    "split from segment 1 'regulars', with 120 customers of those learned from"
    """
    count = f"{change.customers:,} customers of those learned from"
    others = ", ".join(f"segment {n} {(names.get(n) or last.get(n, ''))!r}" for n in change.of)
    match change.kind:
        case "created":
            return f"new, with {count}"
        case "emerged":
            return f"new: customers of several segments, or of none, belong together now; {count}"
        case "split":
            return f"split from {others}, with {count}"
        case "merged":
            return f"merged into {others}: at least half of its {count} are there now"
        case "retired":
            return f"ended: its {count} are spread over other segments"
        case "updated":
            was, now = last.get(change.segment), names.get(change.segment)
            renamed = f"; it was called {was!r}" if was and now and was != now else ""
            return f"the same segment, learned anew: {count}{renamed}"


def passed_message(partition: int, through: int) -> Message:
    """LEARN is done with everything up to `through`: every activation before it is in the events log."""
    body = {"partition": partition, "through": through}
    return Message(LEARN_PROGRESS, b"%d" % partition, orjson.dumps(body), barrier=True)
