"""The shape of the file: every key, its type, default and meaning. docs/configuration.md is made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from stream_seg.config.good import BASES, GoodSection
from stream_seg.config.scalars import (
    Flag,
    Kind,
    Number,
    Offset,
    Text,
    duration,
    matching,
    number,
    one_of,
)
from stream_seg.config.section import Section, Words, in_range
from stream_seg.config.settings import KafkaSettings, RedisSettings, RunSettings
from stream_seg.config.transforms import Transforms, several_names, several_numbers
from stream_seg.config.views import ViewSection
from stream_seg.core.definition import DAY, MINUTE, SECOND

AGGREGATES = (
    "count", "sum", "mean", "max", "min", "decayed_sum", "distinct_days", "distinct", "recency", "tenure",
    "mean_gap", "sessions", "time_on_site", "latest", "ratio", "trend", "projection", "diversity",
)  # fmt: skip

Name = Annotated[
    str,
    BeforeValidator(matching(r"[a-z][a-z0-9-]{0,62}", "use small letters, digits and hyphens, a letter first")),
    Kind("name"),
]
TierName = Annotated[
    str,
    BeforeValidator(matching(r"(?!all$)[a-z][a-z0-9-]{0,62}", "use small letters, digits and hyphens, not `all`")),
    Kind("name"),
]
FeatureName = Annotated[
    str,
    BeforeValidator(matching(r"[A-Za-z][A-Za-z0-9_]{0,62}", "use letters, digits and underscores, a letter first")),
    Kind("name"),
]
FieldPath = Annotated[
    str,
    BeforeValidator(matching(r"[^\s.][^.]*(\.[^.]+)*", "write the path to the value with dots: properties.price")),
    Kind("dotted path"),
]
AtLeastZero = Annotated[int, BeforeValidator(duration(least=0)), Kind("duration")]
FromOneSecond = Annotated[int, BeforeValidator(duration(least=SECOND)), Kind("duration")]
FromOneMinute = Annotated[int, BeforeValidator(duration(least=MINUTE)), Kind("duration")]

FromOneMinuteOrZero = Annotated[int, BeforeValidator(duration(least=MINUTE, or_zero=True)), Kind("duration")]


class FeatureWords(Section):
    """How a person says that the feature is high or low."""

    high: Text = Field(description="in names and reasons when the value is high: `spend a lot`")
    low: Text = Field(description="… when it is low: `spend little`")


class FeatureSection(Section):
    """One measure of a customer. Which parts an aggregate needs or takes is listed under *Aggregates*."""

    name: FeatureName = Field(description="unique; letters, digits, underscores")
    aggregate: Annotated[str, BeforeValidator(one_of(*AGGREGATES)), Kind("aggregate")] = Field(
        description="what is computed, see *Aggregates*"
    )
    field: FieldPath | None = Field(
        default=None, description="dotted path in the event: `properties.price`, `traits.plan`"
    )
    where: Text | None = Field(default=None, description="condition on the event; without it every event counts")
    window: FromOneSecond | None = Field(default=None, description="how far back the feature looks")
    tiles: Annotated[int, in_range(1, 400), Kind("whole number")] = Field(
        default=8, description="a window is this many whole tiles: its far edge is exact to one tile"
    )
    half_life: FromOneSecond | None = Field(default=None, description="after this long an event counts half")
    gap: FromOneSecond | None = Field(default=None, description="this much silence ends a session")
    of: Annotated[tuple[str, ...], BeforeValidator(several_names), Kind("[name, name, …]")] | None = Field(
        default=None,
        description="features declared earlier: `ratio` is a / b, `trend` compares their rates (short, long); "
        "`projection` and `diversity` take two or more and look at the shares that they have in their sum",
    )
    weights: Annotated[tuple[float, ...], BeforeValidator(several_numbers), Kind("[number, number, …]")] | None = Field(
        default=None, description="of a `projection`, one for each of `of`: their mean, each counted by its share"
    )
    encode: (
        Annotated[str, BeforeValidator(one_of("ordinal", "one_hot", "hashed", "binary")), Kind("encoder")] | None
    ) = Field(
        default=None,
        description="how a category becomes numbers: `ordinal`, `one_hot`, `hashed`, `binary`; others are *unknown*",
    )
    categories: Words = Field(default=[], description="the categories to be told apart (not for `hashed`)")
    buckets: Annotated[int, in_range(2, 256), Kind("whole number")] = Field(
        default=8, description="for `encode: hashed`"
    )
    registers: Annotated[int, in_range(8, 4096), Kind("whole number")] = Field(
        default=64, description="size of the sketch of `distinct`: more is more exact and larger"
    )
    empty: Number = Field(default=0.0, description="the value where there is nothing to measure")
    transform: Transforms = Field(
        default=[],
        description="`log1p`, `{clip: [low, high]}`, `{quantile_clip: [0.01, 0.99]}`; "
        "whatever their order in the list, values are clipped first",
    )
    role: Annotated[str, BeforeValidator(one_of("feature", "outcome")), Kind("feature / outcome")] = Field(
        default="feature", description="`outcome`: reported per segment, never decides one"
    )
    words: FeatureWords | None = Field(default=None, description="`{high: …, low: …}`, used in names and reasons")
    basis: Annotated[str, BeforeValidator(one_of(*BASES)), Kind("basis")] = Field(
        default="behavioural",
        description="what kind of thing it says of a customer: `behavioural`, `demographic`, `geographic` or "
        "`psychographic`; `stream-seg choose` warns of mixing them without a `question`",
    )


class MappingSection(Section):
    """Where an event's parts stand in records that are neither Segment-spec JSON nor CloudEvents (CSV, own JSON)."""

    customer: FieldPath = Field(description="path of the customer's id")
    time: FieldPath = Field(description="path of the instant")
    time_format: Text = Field(
        default="iso8601", description="`iso8601`, `epoch_s`, `epoch_ms` or a strptime pattern: `%Y%m%d`"
    )
    time_zone: Text | None = Field(default=None, description="zone of times that carry none: `Europe/Berlin`")
    event: Text = Field(
        default="=event", description="path of the event's name, or a constant after `=`: `=Order Completed`"
    )
    message: FieldPath | None = Field(
        default=None, description="path of a unique message id, so that re-sends are dropped"
    )
    properties: dict[str, Text] = Field(default={}, description="name of a property: path of its value")
    traits: dict[str, Text] = Field(default={}, description="name of a trait: path of its value")


class InputSection(Section):
    """How product events come in."""

    keyed_by_customer: Flag = Field(
        default=True,
        description="true: producers write into `<name>.events.v1`, keyed by customer id; "
        "false: `ingest` does, from `topics`",
    )
    clock: Annotated[str, BeforeValidator(one_of("append", "progress", "event")), Kind("append / progress / event")] = (
        Field(
            default="append",
            description="what moves time on in silence: the broker's append time "
            "(keyed), progress records (with ingest), "
            "or event time (bounded input: demo, backfill)",
        )
    )
    topics: Words = Field(
        default=[], description="the product topics that `ingest` reads (with `keyed_by_customer: false`)"
    )
    mapping: MappingSection | None = Field(default=None, description="for records that are not auto-detected")


class TimeSection(Section):
    """What time means."""

    utc_offset: Offset = Field(
        default=0, description="calendar parts and `distinct_days` use it; fixed, so that every replay agrees"
    )
    lateness: FromOneSecond | None = Field(
        default=None, description="an older event goes to the late-events topic; default: the longest window, or 1d"
    )
    max_skew: AtLeastZero = Field(
        default=5 * MINUTE, description="an event further in the future than this is a dead letter"
    )
    evaluate_every: FromOneSecond = Field(
        default=5 * MINUTE,
        description="first step of the grid on which recency, tenure and decayed sums are read in silence",
    )
    learn_every: FromOneMinute = Field(default=DAY, description="one sample per customer and daily walk")
    forget_after: FromOneMinute | None = Field(
        default=None, description="silence after which a customer is forgotten; default: the longest window + 90d"
    )


class SegmentsSection(Section):
    """How many segments there are, how they are learned and when a customer moves."""

    k: Annotated[int, in_range(2, 64), Kind("whole number")] = Field(default=6, description="number of segments")
    learner: Text = Field(
        default="keyed", description="`keyed`, or `river`: river's `StandardScaler | KMeans`, the textbook way"
    )
    warm_start: Annotated[int, in_range(2, 1_000_000), Kind("whole number")] = Field(
        default=500, description="distinct customers before the first model; a full `table` is enough"
    )
    retrain_every: FromOneMinuteOrZero = Field(
        default=7 * DAY,
        description="a refit at least this often; more often while the learner is young; `0s`: none for its age, only "
        "on drift (`drift.retrain`) and by hand (`stream-seg model retrain --now`)",
    )
    publish_gain: Annotated[float, BeforeValidator(number(0, 10)), Kind("number")] = Field(
        default=0.01,
        description="a version is published when the one in force has 1 + this times the inertia, beyond chance",
    )
    publish_every: AtLeastZero = Field(
        default=0, description="… and when the last one is this old, better or not; 0: never for its age alone"
    )
    max_model_moves: Annotated[float, BeforeValidator(number(0, 1)), Kind("number")] = Field(
        default=0.5, description="a version that would move more of the customers waits for a person; 1: none waits"
    )
    notice: AtLeastZero = Field(default=0, description="from the announcement of a version to its first effect")
    margin: Annotated[float, BeforeValidator(number(0, 1, below=True)), Kind("number")] = Field(
        default=0.1, description="a customer moves when d²(new) < (1 - margin) · d²(current)"
    )
    dwell: AtLeastZero = Field(default=0, description="… and stays so for this long")
    seed: Annotated[int, in_range(0, 2**31 - 1), Kind("whole number")] = Field(
        default=7, description="of every random choice of the learner"
    )
    table: Annotated[int, in_range(100, 1_000_000), Kind("whole number")] = Field(
        default=5_000, description="customers whose latest vector the learner keeps"
    )
    initial_model: Text | None = Field(
        default=None,
        description="a `model.json` that `stream-seg choose` or `explore` made, beside this file: the first "
        "definition comes into force with it, so customers have segments from their first event, and the learner "
        "goes on from it",
    )
    options: dict[str, Number] = Field(
        default={}, description="settings of the learner itself, `name: number`; see *Options of learners*"
    )


class DriftSection(Section):
    """How the customers of a day are compared with those of the weeks before."""

    detector: Annotated[str, BeforeValidator(one_of("ewma", "adwin", "page_hinkley", "kswin")), Kind("word")] = Field(
        default="ewma",
        description="what watches the features: `ewma` (charts over customer-days, measured in docs/drift.md), or one "
        "of river's: `adwin`, `page_hinkley`, `kswin`",
    )
    retrain: Flag = Field(default=True, description="an alarm of the grade *act* brings a refit")


class LeverSection(Section):
    """What a person declares about one segment."""

    segment: Annotated[int, in_range(0, 1_000_000), Kind("whole number")] = Field(
        description="number of the segment, from 0; that of one that ended is not used again, so it may pass `k`"
    )
    name: Text | None = Field(default=None, description="replaces the automatic name")
    lever: Text | None = Field(
        default=None, description="what is done differently for these customers; without one the segment is academic"
    )
    owner: Text | None = Field(default=None, description="who does it")
    question: Text | None = Field(default=None, description="the question that the segment answers")


class TierSection(Section):
    """Customers with segments of their own: a region, a plan, a regulated group. Nobody is compared across tiers.

    The first tier whose condition holds for an event takes its customer, with `cause: "tier"`; an event for which none
    holds puts the customer into `all`. An event without a field that a condition compares leaves the customer where it
    is. A tier has its own model as soon as it has `segments.warm_start` customers; until then they have no segment.
    """

    name: TierName = Field(description="small letters, digits, hyphens; not `all`, which are the others")
    where: Text = Field(description='condition on the event, as of a feature: `traits.plan == "business"`')
    k: Annotated[int, in_range(2, 64), Kind("whole number")] | None = Field(
        default=None, description="segments of this tier; default: `segments.k`"
    )


class Document(Section):
    """The whole file."""

    name: Name = Field(description="prefix of topics, consumer groups and Redis keys; small letters, digits, hyphens")
    input: InputSection = Field(default=InputSection(), description="how product events come in")
    features: list[FeatureSection] = Field(description="what is measured of every customer")
    time: TimeSection = Field(default=TimeSection(), description="time zone, lateness, grids")
    segments: SegmentsSection = Field(default=SegmentsSection(), description="number of segments, learning, movement")
    drift: DriftSection = Field(default=DriftSection(), description="what is done about drift")
    tiers: list[TierSection] = Field(default=[], description="customers who are segmented by themselves")
    levers: list[LeverSection] = Field(default=[], description="names, levers and owners of segments")
    question: Text | None = Field(
        default=None, description="the question that the segments answer, as a person asks it"
    )
    good: GoodSection = Field(
        default=GoodSection(), description="when they are good enough: `stream-seg choose` ranks by it"
    )
    views: list[ViewSection] = Field(
        default=[], description="questions about customers; default: three ready-made ones"
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="the broker")
    redis: RedisSettings = Field(default=RedisSettings(), description="the store")
    run: RunSettings = Field(default=RunSettings(), description="one worker process")
