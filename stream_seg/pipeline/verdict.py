"""The figures of one set of events, and why one of them cannot be given. Never a guess: null, with a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from stream_seg.pipeline.drift_stage import AFTER, PATIENCE, Stage
from stream_seg.pipeline.drift_trials import drift_days, emergence, false_alarms_per_30d, judged_days
from stream_seg.pipeline.quality import MATURE, Course
from stream_seg.progress import Tell

Figures: TypeAlias = dict[str, Any]

MONTH = 30  # judged days that make a rate of alarms
NO_MODEL = "no model was learned: fewer customers than segments.warm_start, or too few that differ"
KEYS = (
    "inertia_ratio_median", "inertia_ratio_p95", "dead_clusters", "model_flips_per_1000",
    "model_flips_per_1000_mature", "ari_seeds_min", "ari_batch_k4", "shift_inertia_ratio_max",
    "drift_false_alarms_per_30d", "drift_1_5_days", "drift_1_2_days", "emergence_found",
    "emergence_false_alarms_per_30d",
)  # fmt: skip


def agreement(of_pairs: Mapping[tuple[str, str], Sequence[float]]) -> float | None:
    """The least that two learners agree: of each pair the median over the weeks."""
    return min((float(np.median(found)) for found in of_pairs.values() if found), default=None)


def worst_shift(ratios: Mapping[str, Sequence[float]]) -> float | None:
    """The worst day of the worst shift."""
    return max((max(of_one) for of_one in ratios.values() if of_one), default=None)


def drift_figures(stage: Stage, tell: Tell = lambda *_: None) -> Figures:
    """How soon drift is found in these days, how often it is cried, and whether groups that emerge are."""
    found: Figures = dict.fromkeys(KEYS[8:])
    found["drift"] = None
    if not stage.models:
        return found
    tell("drift: the days as they are", 0, None)
    stage.run()
    if judged_days(stage) >= MONTH:
        found["drift_false_alarms_per_30d"] = false_alarms_per_30d(stage)
        found["emergence_false_alarms_per_30d"] = false_alarms_per_30d(stage, ("emergence",))
    if not stage.states:
        return found
    tell("drift: injected changes", 0, None)
    large, small, groups = drift_days(stage, 1.5), drift_days(stage, 1.2), emergence(stage)
    found |= {"drift_1_5_days": large["worst"], "drift_1_2_days": small["worst"]}
    found["emergence_found"] = groups.pop("emergence_found")
    found["drift"] = {"x1.5": large, "x1.2": small, **groups}
    return found


def reasons(figures: Figures, course: Course, stage: Stage, days: int) -> dict[str, str]:
    """Why each figure that is missing is missing."""
    missing = [key for key in KEYS if figures[key] is None]
    return {key: _reason(key, course, stage, days) for key in missing}


def _reason(key: str, course: Course, stage: Stage, days: int) -> str:
    if course.model is None:
        return f"{NO_MODEL} ({days} days)"
    if key == "model_flips_per_1000_mature":
        return f"a model is mature {MATURE} days after the first; there are {course.age}"
    if key == "shift_inertia_ratio_max":
        return f"needs more than {AFTER} days after the first model, and a feature that matters; there are {course.age}"
    if key.startswith(("drift", "emergence")):
        watched = max(0, len(stage.days) - stage.first)
        needed = MONTH if key.endswith("30d") else AFTER + PATIENCE
        return f"needs {needed} days and more after a model with full windows; there are {watched}"
    return f"needs the end of a week with a model, and more customers than segments; there are {days} days"


def rounded(value: Any) -> Any:
    """Figures to four places, however deep."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return round(value, 4) if isinstance(value, float) else value
