"""What a person declares: features, segments, time. The whole of it travels in an activation.

These are values with no behaviour: durations are whole milliseconds, every choice is spelled out, and the
canonical JSON of the parts that decide gives the version. YAML, its units (``7d``) and its error messages are
`stream_seg.config`; turning features into arrays is `stream_seg.core.planning`.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BASE = "all"  # the tier of those whom no rule puts elsewhere
UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}

Aggregate = Literal[
    "count", "sum", "mean", "max", "min",                  # over `window`
    "decayed_sum",                                         # with `half_life`
    "distinct_days", "distinct",                           # over `window`; distinct of `field`
    "recency", "tenure", "mean_gap",                       # seconds
    "sessions", "time_on_site",                            # over `window`, cut by `gap`
    "latest",                                              # of `field`, with an encoder when it is a category
    "ratio", "trend",                                      # of two earlier features, at read time
    "projection", "diversity",                             # of the shares that earlier features have in their total
]  # fmt: skip
Encoder = Literal["ordinal", "one_hot", "hashed", "binary"]
Role = Literal["feature", "outcome"]


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Words(_Value, frozen=True, kw_only=True):
    """How a person says that this feature is high or low: ``spend a lot``, ``spend little``."""

    high: str
    low: str


class Feature(_Value, frozen=True, kw_only=True):
    """One declared measure of a customer.

    name        unique; letters, digits, underscores
    aggregate   what is computed (`Aggregate`)
    field       dotted path in the event: ``properties.price``, ``traits.plan``; for `sum`, `mean`, `max`, `min`,
                `decayed_sum` (absent: 1 per event), `distinct`, `latest`
    where       condition on the event (`stream_seg.core.expression`); absent: every event counts
    window      ms; a window is `tiles` whole tiles, so its edge is exact to one tile
    half_life   ms, for `decayed_sum`
    gap         ms of silence that ends a session
    of          names of earlier features: (a, b) for ratio = a / b and trend = short rate / long rate (per window);
                any number for projection and diversity, which look at what part each has in the sum of all
    weights     for projection, one for each of `of`; it is their mean, each counted by its feature's part in the sum.
                They are part of the meaning: with other weights it is another feature
    encode      for `latest` of a category; `categories` lists them (not for hashed), `buckets` for hashed
    registers   buckets of the `distinct` sketch (linear counting); with 64 of them 32 distinct values are counted to
                10 % (one standard error), 64 to 11 %, 128 to 13 %; more than 3 per bucket fill it
    empty       the value where there is nothing to measure (mean of no events, ratio over 0 …)
    log1p       the logarithm of 1 + value goes into the distance; after `clip`
    clip        (low, high) in raw units
    quantile_clip  (low, high) quantiles; their values are learned and live in the model
    role        ``outcome``: reported per segment, never in the distance
    """

    name: str
    aggregate: Aggregate
    field: str | None = None
    where: str | None = None
    window: int | None = None
    tiles: int = 8
    half_life: int | None = None
    gap: int | None = None
    of: tuple[str, ...] | None = None
    weights: tuple[float, ...] = ()
    encode: Encoder | None = None
    categories: tuple[str, ...] = ()
    buckets: int = 8
    registers: int = 64
    empty: float = 0.0
    log1p: bool = False
    clip: tuple[float, float] | None = None
    quantile_clip: tuple[float, float] | None = None
    role: Role = "feature"
    words: Words | None = None


class Lever(_Value, frozen=True, kw_only=True):
    """What a person declares about one segment.

    name      overrides the automatic one
    lever     what is done differently for its customers; without one the segment is academic
    owner     who does it
    question  what the segment answers
    """

    segment: int
    name: str | None = None
    lever: str | None = None
    owner: str | None = None
    question: str | None = None


class Learning(_Value, frozen=True, kw_only=True):
    """How segments are learned. `learner` names a registered Clusterer; `options` are its own settings; times in ms.

    warm_start      distinct customers before the first model
    retrain_every   a refit at least this often; sooner while the learner is young (0: none for its age)
    publish_gain    a version is published when the one in force has more than 1 + this times the inertia
    publish_every   … and when the last one is this old, better or not (0: never for its age alone)
    max_model_moves a version that would move a greater share of the customers waits for a person (1: never)
    notice          from the announcement of a version to its first effect
    table           customers whose latest vector the learner keeps
    drift_detector  what watches the features (`stream_seg.core.drift`); retrain_on_drift: a refit when it says *act*
    """

    k: int = 6
    learner: str = "keyed"
    warm_start: int = 500
    retrain_every: int = 7 * DAY
    publish_gain: float = 0.01
    publish_every: int = 0
    max_model_moves: float = 0.5
    notice: int = 0
    table: int = 5_000
    drift_detector: Literal["ewma", "adwin", "page_hinkley", "kswin"] = "ewma"
    retrain_on_drift: bool = True
    seed: int = 7
    options: dict[str, float] = {}


class InputRules(_Value, frozen=True, kw_only=True):
    """How records of the product topics become events. `mapping` is for forms that are not auto-detected."""

    keyed_by_customer: bool = True  # producers write into `events` themselves; False: INGEST does
    clock: Literal["append", "progress", "event"] = "append"
    mapping: Mapping | None = None


class Mapping(_Value, frozen=True, kw_only=True):
    """Where each part of an event is found in a flat or nested record (CSV row, own JSON); dotted paths.

    `time_format`: ``iso8601``, ``epoch_s``, ``epoch_ms`` or a strptime pattern; `time_zone` for times without one.
    `event` is a path, or a constant written as ``=Order Completed``. `properties`/`traits`: new name -> path.
    """

    customer: str
    time: str
    time_format: str = "iso8601"
    time_zone: str | None = None
    event: str = "=event"
    message: str | None = None
    properties: dict[str, str] = {}
    traits: dict[str, str] = {}


class Tier(_Value, frozen=True, kw_only=True):
    """Customers who are segmented by themselves: a region, a plan, a regulated group.

    where  condition on an event; the first tier whose condition holds takes the customer. An event without a field that
           a condition reads leaves its customer where it is; one for which no condition holds, puts it into ``all``
    k      segments of this tier; None: as many as everywhere
    """

    name: str
    where: str
    k: int | None = None


class Definition(_Value, frozen=True, kw_only=True):
    """Everything that a person decides about one segmentation.

    tier            the one that this is about; ``all``: customers whom none of `tiers` takes
    utc_offset      minutes; calendar parts and `distinct_days` use it (a fixed offset, so that every replay agrees)
    lateness        an event older than this, measured from its customer's time, goes to the late-events topic
    max_skew        an event further than this in the future of its append time is a dead letter
    evaluate_every  first step of the grid on which recency, tenure and decayed sums are read in silence
    learn_every     one sample per customer and walk
    forget_after    silence that ends an incarnation
    margin          a customer moves when d²(new) < (1 - margin) · d²(current)
    dwell           … and stays so for this long (0: at once)
    """

    name: str
    features: tuple[Feature, ...]
    input: InputRules = InputRules()
    learning: Learning = Learning()
    levers: tuple[Lever, ...] = ()
    tier: str = BASE
    tiers: tuple[Tier, ...] = ()
    utc_offset: int = 0
    lateness: int
    max_skew: int = 5 * MINUTE
    evaluate_every: int = 5 * MINUTE
    learn_every: int = DAY
    forget_after: int
    margin: float = 0.1
    dwell: int = 0

    def of(self, tier: str) -> Definition:
        """The same as one tier has it."""
        if tier == self.tier:
            return self
        own = next(one for one in self.tiers if one.name == tier)
        learning = self.learning if own.k is None else msgspec.structs.replace(self.learning, k=own.k)
        return msgspec.structs.replace(self, tier=tier, tiers=(), learning=learning)


def tier_key(name: str) -> int:
    """What a customer's record calls a tier: 0 is ``all``, whatever else there is.

    >>> tier_key("all"), tier_key("gold")
    (0, 2968292139)
    """
    return 0 if name == BASE else int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") or 1


def feature_set_version(definition: Definition) -> str:
    """Twelve hex digits that change when the meaning of any stored byte or vector changes, and only then.

    Words, levers, k or the margin do not change it; a window, a condition, the grid or the offset does.

    >>> f = Feature(name="n", aggregate="count", window=DAY)
    >>> d = Definition(name="shop", features=(f,), lateness=DAY, forget_after=97 * DAY)
    >>> feature_set_version(d) == feature_set_version(msgspec.structs.replace(d, margin=0.2))
    True
    >>> wider = msgspec.structs.replace(f, window=2 * DAY)
    >>> feature_set_version(d) == feature_set_version(msgspec.structs.replace(d, features=(wider,)))
    False
    """
    deciding = [msgspec.to_builtins(msgspec.structs.replace(f, words=None)) for f in definition.features]
    canonical = msgspec.json.encode([deciding, definition.utc_offset, definition.evaluate_every], order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:12]


def default_forget_after(features: tuple[Feature, ...]) -> int:
    """The longest window + 90 days, in ms: after that nothing about the customer is left to measure."""
    return max((f.window or 0 for f in features), default=0) + 90 * DAY


def default_lateness(features: tuple[Feature, ...]) -> int:
    """The longest window, in ms: an older event could not count anywhere (one day where there is no window)."""
    return max((f.window or 0 for f in features), default=0) or DAY
