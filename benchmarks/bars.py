"""The bars that the default learner is held to, and what was measured of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SETS = {"completejourney": "completejourney", "cdnow": "CDNOW", "clickstream": "clickstream"}
KS = ("4", "6", "8")
SHORT = "°"  # beside what is within the bar and short of the goal


class Limit(NamedTuple):
    """What a figure may be, in words and as a number: one, or one for each set. Numbers are most, unless `least`."""

    words: str = "–"
    numbers: float | dict[str, float] | None = None
    least: bool = False

    def missed(self, name: str, value: float) -> bool:
        """Whether a figure of a set is beyond it."""
        number = self.numbers.get(name) if isinstance(self.numbers, dict) else self.numbers
        return number is not None and (value < number if self.least else value > number)


def most(number: float, words: str = "") -> Limit:
    return Limit(words or f"≤ {number:g}".replace("0.", "."), number)


def least(number: float, words: str = "") -> Limit:
    return Limit(words or f"≥ {number:g}".replace("0.", "."), number, least=True)


NONE = Limit()


class Bar(NamedTuple):
    """A figure: the way to it in a set's results, what it has to be, and what it should come to.

    features  the way to the days of each feature, of which those beyond the bar are named
    """

    what: str
    path: tuple[str, ...]
    bar: Limit
    goal: Limit = NONE
    features: tuple[str, ...] = ()


def rows() -> Iterator[Bar]:
    for k in KS:
        of = ("by_k", k)
        yield from (
            Bar(f"**k = {k}**: inertia ratio, median", (*of, "inertia_ratio_median"), most(1.02), most(1.01)),
            Bar("… 95 of 100 weeks", (*of, "inertia_ratio_p95"), most(1.06), most(1.03)),
            Bar("… with the margin, median", (*of, "inertia_ratio_with_margin"), most(1.03)),
            Bar("dead segments", (*of, "dead_clusters"), most(0, "0"), most(0, "0")),
            Bar("silhouette minus the batch fit's, worst week", (*of, "silhouette_minus_batch_min"), SILHOUETTE),
            Bar("model flips per 1,000", (*of, "model_flips_per_1000"), WHOLE if k == "6" else NONE),
            Bar("… 90 days after the first model", (*of, "model_flips_per_1000_mature"), MATURE, most(1)),
        )
    late, later = ("drift", "x1.5", "worst_by_feature"), ("drift", "x1.2", "worst_by_feature")
    yield from (
        Bar("**k = 6**: agreement of three seeds, least", ("ari_seeds_min",), least(0.9), least(0.95)),
        Bar("agreement with the batch fit, k = 4", ("ari_batch_k4",), least(0.85)),
        Bar("inertia ratio after a shift, worst day", ("shift_inertia_ratio_max",), most(1.02)),
        Bar("drift alarms in 30 days, nothing injected", ("drift_false_alarms_per_30d",), most(0.15)),
        Bar("days to find a feature × 1.5, worst (15: not in 14)", ("drift_1_5_days",), most(3), NONE, late),
        Bar("days to find a feature × 1.2, worst", ("drift_1_2_days",), most(7), NONE, later),
        Bar("far groups of 5 % found", ("emergence_found",), least(0.9)),
        Bar("groups found in 30 days, none injected", ("emergence_false_alarms_per_30d",), most(0.05)),
        Bar("learning, µs a vector", ("learners", "keyed", "learn_us"), most(25)),
        Bar("… by `KeyedKMeans.learn_one`, from the first vector on", ("estimator", "learn_one_us"), most(25)),
        Bar("one vector alone, as LABEL finds its segment, µs", ("score_us",), most(5)),
        Bar("… by `KeyedKMeans.predict_one`, µs", ("estimator", "predict_one_us"), most(5)),
        Bar("one of many vectors, µs", ("assign_us",), most(0.1)),
    )


SILHOUETTE = least(-0.03, "≥ −.03")
WHOLE = Limit("≤ 3 / 10 / –", {"completejourney": 3.0, "cdnow": 10.0})
MATURE = Limit("≤ 1 / 5 / –", {"completejourney": 1.0, "cdnow": 5.0})


def table(results: dict[str, Any]) -> str:
    """Bar by bar, whether the default learner is within it, and within the goal."""
    lines = [["what", "bar", "goal", *SETS.values()], ["---"] * (3 + len(SETS))]
    for bar in rows():
        cells = [cell(bar, name, results[name]) for name in SETS]
        lines.append([bar.what, bar.bar.words, bar.goal.words, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(bar: Bar, name: str, figures: dict[str, Any]) -> str:
    """What was measured of a set, and whether that is within the bar and the goal."""
    value = reached(figures, bar.path)
    if value is None:
        return "–"
    text = f"{value:.3f}" if 1.0 < value < 2.0 else f"{value:.3g}"
    if bar.bar.missed(name, value):
        return f"**{text}** missed" + _named(bar, name, figures)
    return f"{text} {SHORT}" if bar.goal.missed(name, value) else text


def _named(bar: Bar, name: str, figures: dict[str, Any]) -> str:
    """The features that are beyond the bar."""
    days = (reached(figures, bar.features) if bar.features else None) or {}
    late = [f"`{feature}`" for feature, worst in days.items() if bar.bar.missed(name, worst)]
    return f": {', '.join(late)}" if late else ""


def reached(figures: dict[str, Any], path: tuple[str, ...]) -> Any:
    """What stands at the end of a way; None where an older run did not measure it."""
    found: Any = figures
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found
