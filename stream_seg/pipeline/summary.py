"""What a run found, out of what it published: one document for machines, and all that a story needs for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict

import orjson

from stream_seg.core.definition import DAY, HOUR, MINUTE, SECOND, Feature

MONTH_DAYS = 30
EXAMPLES = 10  # customers that are named as having gone silent
QUIET = 1.25  # times the mean silence: where a segment of silent customers begins
STEPS = 8  # movements that make a good story; more tire
ENDED = ("merged", "retired")
IN_SECONDS = ("recency", "tenure", "mean_gap", "time_on_site")


class Counts(TypedDict):
    """What the run counted. `seconds`: how long it took."""

    events: int
    accepted: int
    dead_letters: int
    late: int
    duplicates: int
    seconds: float


class SegmentShare(TypedDict):
    """A segment at the end: `customers` in it, `share` of all who have one (0 … 1), what it means and what to do.

    `ended`: the model in force has it no more.
    """

    segment: str
    name: str
    customers: int
    share: float
    description: str
    lever: str | None
    ended: bool


class Month(TypedDict):
    """The last 30 days. `from_to`: ``{from, to, count}``, most movements first; None is nowhere (new, forgotten)."""

    began: str | None
    ended: str | None
    movements: int
    from_to: list[dict[str, Any]]


class Story(TypedDict):
    """One customer's way. A step is ``{at, from, to, cause, why}``; `why`: phrases, the strongest first.

    Steps before the first one that is told are counted in `earlier`.
    """

    customer: str
    earlier: int
    steps: list[dict[str, Any]]


class Summary(Counts):
    """The document of ``stream-seg demo --json``. Instants are RFC 3339.

    movements         each once, however often it was sent
    model_versions    how many models were in force
    silent            the latest `EXAMPLES` of the `silent_customers` whom in the last month time alone moved last, and
                      into a segment of silent customers: ``{customer, from, to, since}``
    story             None while nobody has moved
    """

    customers: int
    segments: list[SegmentShare]
    movements: int
    movements_by_cause: dict[str, int]
    model_versions: int
    last_month: Month
    silent: list[dict[str, Any]]
    silent_customers: int
    story: Story | None


class _Step(NamedTuple):
    incarnation: int
    sequence: int
    at: str
    before: str | None
    after: str | None
    cause: str
    reasons: bytes


def summarise(
    movements: Iterable[Mapping[str, Any]],
    definitions: Iterable[Mapping[str, Any]],
    features: Sequence[Feature],
    counts: Counts,
) -> Summary:
    """The summary of what was published; the order of `movements` and repeated ones change nothing.

    movements    values of ``segment-changes``
    definitions  values of ``segment-definitions``; the last of each segment holds
    features     of the definition in force, for its words and units
    """
    ways: dict[str, dict[tuple[int, int], _Step]] = {}
    versions: set[int] = set()
    for movement in movements:
        step = _step(movement)
        ways.setdefault(movement["customer_id"], {})[step.incarnation, step.sequence] = step
        if movement["model_version"] is not None:
            versions.add(movement["model_version"])
    known = {definition["segment"]: definition for definition in definitions}
    versions.update(entry["model_version"] for definition in known.values() for entry in definition["history"])
    paths = {customer: [steps[key] for key in sorted(steps)] for customer, steps in sorted(ways.items())}
    steps = [step for path in paths.values() for step in path]
    month = _month(steps)
    silent = _silent(paths, month["began"], _quiet(known, features))
    return Summary(
        **counts,
        customers=len(paths),
        segments=_segments(paths, known),
        movements=len(steps),
        movements_by_cause=dict(sorted(Counter(step.cause for step in steps).items())),
        model_versions=len(versions),
        last_month=month,
        silent=silent[:EXAMPLES],
        silent_customers=len(silent),
        story=_story(paths, {feature.name: feature for feature in features}),
    )


def _step(movement: Mapping[str, Any]) -> _Step:
    return _Step(
        movement["incarnation"],
        movement["sequence"],
        movement["event_time"],
        movement["previous_segment"],
        movement["segment"],
        movement["cause"],
        orjson.dumps(movement["top_features"]),  # a tenth of the memory; one customer's are read again
    )


def _segments(paths: Mapping[str, list[_Step]], known: Mapping[str, Mapping[str, Any]]) -> list[SegmentShare]:
    """Every segment that there ever was, the largest first."""
    sizes = Counter(path[-1].after for path in paths.values() if path[-1].after is not None)
    everybody = sizes.total()
    segments = sorted({*known, *sizes}, key=lambda segment: (-sizes[segment], int(segment)))
    return [
        SegmentShare(
            segment=segment,
            name=known[segment]["name"] if segment in known else f"segment {segment}",
            customers=sizes[segment],
            share=sizes[segment] / everybody if everybody else 0.0,
            description=known[segment]["description"] if segment in known else "",
            lever=known[segment]["lever"] if segment in known else None,
            ended=segment in known and known[segment]["change"] in ENDED,
        )
        for segment in segments
    ]


def _month(steps: Sequence[_Step]) -> Month:
    if not steps:
        return Month(began=None, ended=None, movements=0, from_to=[])
    ended = max(step.at for step in steps)
    began = _before(ended, MONTH_DAYS)
    flows = Counter((step.before, step.after) for step in steps if step.at > began)
    ordered = sorted(flows.items(), key=lambda flow: (-flow[1], flow[0][0] or "", flow[0][1] or ""))
    from_to = [{"from": before, "to": after, "count": count} for (before, after), count in ordered]
    return Month(began=began, ended=ended, movements=flows.total(), from_to=from_to)


def _before(instant: str, days: int) -> str:
    """The instant some days earlier, in the same form, so that texts compare as times do."""
    at = datetime.fromisoformat(instant) - timedelta(days=days)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _quiet(known: Mapping[str, Mapping[str, Any]], features: Sequence[Feature]) -> set[str]:
    """The segments in which customers have been silent for clearly longer than customers have in the mean.

    Without a `recency` among the features nobody can tell: all.
    """
    silences = [feature.name for feature in features if feature.aggregate == "recency"]
    if not silences:
        return set(known)
    return {
        segment
        for segment, definition in known.items()
        if any(
            one["center"] > QUIET * one["population"]
            for name in silences
            if (one := definition["profile"].get(name)) and one["center"] is not None
        )
    }


def _silent(paths: Mapping[str, list[_Step]], began: str | None, quiet: set[str]) -> list[dict[str, Any]]:
    """The latest first."""
    ends = [(customer, path[-1]) for customer, path in paths.items()]
    gone = [
        (customer, step)
        for customer, step in ends
        if step.cause == "time" and step.after in quiet and began is not None and step.at > began
    ]
    gone.sort(key=lambda one: one[1].at, reverse=True)
    return [{"customer": customer, "from": step.before, "to": step.after, "since": step.at} for customer, step in gone]


def _story(paths: Mapping[str, list[_Step]], features: Mapping[str, Feature]) -> Story | None:
    """The customer whose way shows most: several segments, several causes, and not too long to read."""
    if not paths:
        return None

    def shows(customer: str) -> tuple[int, str]:
        path = paths[customer]
        segments, causes = {step.after for step in path}, {step.cause for step in path}
        too_long, still_here = max(0, len(path) - STEPS), path[-1].after is not None
        return 2 * min(len(segments), 4) + 3 * len(causes & {"event", "time"}) + 2 * still_here - too_long, customer

    customer = max(paths, key=shows)
    path = paths[customer]
    steps = [
        {
            "at": step.at,
            "from": step.before,
            "to": step.after,
            "cause": step.cause,
            "why": [reason(one, features) for one in orjson.loads(step.reasons)],
        }
        for step in path[-STEPS:]
    ]
    return Story(customer=customer, earlier=max(0, len(path) - STEPS), steps=steps)


def reason(effect: Mapping[str, Any], features: Mapping[str, Feature]) -> str:
    """One of a movement's `top_features` as people say it.

    >>> from stream_seg.core.definition import Words
    >>> spend = Feature(name="spend_28d", aggregate="sum", words=Words(high="spend a lot", low="spend little"))
    >>> reason({"feature": "spend_28d", "before": 120.5, "after": 18, "effect": 0.4}, {"spend_28d": spend})
    'spend little (spend 28d 120 → 18)'
    """
    name, _, part = effect["feature"].partition("=")
    before, after = effect["before"], effect["after"]
    feature = features.get(name)
    label = name.replace("_", " ")
    if part:
        return f"{label} {'is' if after else 'is no longer'} {part}"
    in_seconds = feature is not None and feature.aggregate in IN_SECONDS
    now = _duration(after) if in_seconds else _amount(after)
    if before is None:
        return f"{label} {now}"
    earlier = _duration(before) if in_seconds else _amount(before)
    if earlier == now:
        return f"{label} {now}"
    change = f"{label} {earlier} → {now}"
    if feature is None or feature.words is None:
        return change
    return f"{feature.words.high if after > before else feature.words.low} ({change})"


def _duration(seconds: float | None) -> str:
    """The largest unit that fits.

    >>> _duration(1_900_800), _duration(90), _duration(0), _duration(None)
    ('22 days', '1 minute', '0 seconds', 'never')
    """
    if seconds is None:
        return "never"
    units = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))
    unit, name = next((one for one in units if seconds * SECOND >= one[0]), units[-1])
    count = int(seconds * SECOND // unit)
    return f"{count} {name}{'' if count == 1 else 's'}"


def _amount(value: float | None) -> str:
    if value is None:
        return "nothing"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2g}"
