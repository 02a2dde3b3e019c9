"""What LEARN measures of drift, and what asks for a person's attention: the ``drift-metrics`` topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from stream_seg.core.activation import Activation
from stream_seg.core.emergence import Group
from stream_seg.core.engine import Engine
from stream_seg.core.findings import MODEL, NAMED, Finding
from stream_seg.core.model import ModelVersion
from stream_seg.core.naming import FAINT, phrase
from stream_seg.core.plan import Column
from stream_seg.ports import Message
from stream_seg.wire.output import cloud_event
from stream_seg.wire.timestamps import rfc3339

DRIFT = "drift-metrics"


def finding_messages(findings: Sequence[Finding], engine: Engine, version: int | None, day: int) -> list[Message]:
    """What was found of a day (ms), by the model version that was measured with."""
    definition = engine.activation.definition
    columns = {column.name: column for column in engine.plan.columns}
    at = rfc3339(day)
    messages = []
    for finding in findings:
        kind = "tier" if finding.subject == MODEL else "feature" if finding.subject in columns else "segment"
        name = definition.tier if kind == "tier" else finding.subject
        group = None if finding.group is None else _group(finding.group, engine)
        body: dict[str, Any] = {
            "tier": definition.tier,
            "subject": {"kind": kind, "name": name},
            "metric": finding.metric,
            "value": finding.value,
            "mean": finding.mean,
            "deviation": finding.deviation,
            "threshold": finding.threshold,
            "severity": finding.severity,
            "new": finding.new,
            "words": _words(finding, group, columns),
            "group": group,
            "as_of": at,
            "model_version": version,
            "feature_set_version": engine.activation.feature_set_version,
        }
        id_ = f"{definition.tier}:{finding.metric}:{name}:{day}"
        headers = cloud_event("drift-metric", id_, definition.name, at, name.encode())
        messages.append(Message(DRIFT, name.encode(), orjson.dumps(body), headers))
    return messages


def _group(group: Group, engine: Engine) -> dict[str, Any]:
    """Who fits no segment: how many, and what each column is for them and for everybody, as the model sees it."""
    names = [column.name for column, used in zip(engine.plan.columns, engine.plan.distance, strict=True) if used]
    members = zip(names, group.center, group.population, group.z, strict=False)
    return {
        "size": group.size,
        "profile": {name: {"center": c, "population": p, "deviations": z} for name, c, p, z in members},
    }


def _words(finding: Finding, group: dict[str, Any] | None, columns: Mapping[str, Column]) -> str:
    """For a person; of a group by the words that features are declared with."""
    if group is None:
        return finding.words or f"{finding.metric} of {finding.subject}"
    apart = sorted(group["profile"].items(), key=lambda item: -abs(item[1]["deviations"]))[:NAMED]
    said = [phrase(columns[name], entry["deviations"]) for name, entry in apart if abs(entry["deviations"]) >= FAINT]
    alike = ", ".join(said) or "nothing that stands out"
    return f"{finding.value:.1%} of the customers fit no segment and are alike: {alike}"


def waiting_message(
    model: ModelVersion, activation: Activation, flows: Sequence[tuple[int, int, int]], labelled: int, *, held: bool
) -> Message:
    """A version waits for a person: it would move more customers than it may, or publishing is frozen.

    flows: (from, to, customers) of the `labelled` customers learned from, the most first. Of all customers the share
    is another, within two standard errors of a sample of so many nineteen times out of twenty.
    """
    moves = sum(customers for *_, customers in flows) / labelled if labelled else 0.0
    error = 2.0 * (moves * (1.0 - moves) / labelled) ** 0.5 if labelled else 0.0
    most = activation.definition.learning.max_model_moves
    reason = "publishing is frozen" if held else f"more than the {most:.0%} that a version may move by itself"
    words = (
        f"version {model.version} would move {moves:.1%} ± {error:.1%} of the customers{_mostly(flows, labelled)} and "
        f"waits ({reason}); look at it with `stream-seg model diff "
        f"{activation.model.version if activation.model else 0} {model.version}`, put it in force with `stream-seg "
        f"model promote {model.version}`"
    )
    at = rfc3339(model.trained_at)
    body: dict[str, Any] = {
        "tier": model.tier,
        "subject": {"kind": "tier", "name": model.tier},
        "metric": "model_moves",
        "value": round(moves, 6),
        "mean": None,
        "deviation": None,
        "threshold": most,
        "severity": "act",
        "new": True,
        "words": words,
        "group": None,
        "as_of": at,
        "model_version": model.version,
        "feature_set_version": model.feature_set_version,
    }
    id_ = f"{model.tier}:model_moves:{model.version}"
    headers = cloud_event("drift-metric", id_, activation.definition.name, at, model.tier.encode())
    return Message(DRIFT, model.tier.encode(), orjson.dumps(body), headers)


def _mostly(flows: Sequence[tuple[int, int, int]], labelled: int) -> str:
    """The ways that most would go.

    >>> _mostly([(0, 3, 120), (2, 3, 40)], labelled=400)
    ' (0 → 3: 30.0%, 2 → 3: 10.0%)'
    """
    said = [f"{old} → {new}: {customers / labelled:.1%}" for old, new, customers in flows[:NAMED]]
    return f" ({', '.join(said)})" if said else ""
