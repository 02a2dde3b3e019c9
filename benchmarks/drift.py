"""What the parts of drift detection find by themselves: ``python -m benchmarks.drift [set ...]`` prints JSON.

The figures of the whole are those of `make quality`, with as many segments. These say what each chart raises, what is
found without knowing yesterday's vectors, and how often river's detectors alarm.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

import msgspec
import numpy as np

from benchmarks.quality import K
from benchmarks.sets import SETS, days_of
from stream_seg.adapters.memory.panel import Panel
from stream_seg.adapters.memory.trial import Trial
from stream_seg.core.drift import Detector
from stream_seg.pipeline.drift_stage import Stage
from stream_seg.pipeline.drift_trials import CHARTS, drift_days, false_alarms_per_30d
from stream_seg.pipeline.verdict import drift_figures

RIVER: tuple[Detector, ...] = ("adwin", "page_hinkley")  # KSWIN takes a second a day


def staged(name: str, k: int) -> Stage:
    """The days of a set, with the models of k segments that the definition's own learner would have published."""
    activation, days = days_of(name)
    learning = msgspec.structs.replace(activation.definition.learning, k=k)
    panel = Panel(activation, {"learner": Trial.begin(activation, learning)})
    panel.shifts.begun = True  # not asked for
    for records in days:
        panel.take(records)
    return panel.stage


def figures(stage: Stage) -> dict[str, Any]:
    """All figures of one set."""
    return {
        "days": len(stage.days),
        "customers_a_day": statistics.median(len(raw) for raw in stage.raw[stage.first :]),
        "models": len(stage.models),
        **drift_figures(stage),
        "drift_alarm_days_per_30d": false_alarms_per_30d(stage, apart=0),
        "by_metric": {metric: round(false_alarms_per_30d(stage, (metric,)), 3) for metric in CHARTS},
    }


def alone(stage: Stage) -> dict[str, Any]:
    """How often river's detectors alarm, and what the charts of means find without the charts of changes."""
    found: dict[str, float] = {}
    for name in RIVER:
        stage.run(name)
        found[name] = round(false_alarms_per_30d(stage, (name,), apart=0), 2)
    stage.before = [np.full_like(before, np.nan) for before in stage.before]
    stage.run()
    return {
        "river_alarm_days_per_30d": found,
        "without_yesterday": {"drift_1_5_days": drift_days(stage, 1.5), "drift_1_2_days": drift_days(stage, 1.2)},
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.drift")
    arguments.add_argument("sets", nargs="*", default=SETS, help="of " + ", ".join(SETS))
    arguments.add_argument("--segments", type=int, default=K)
    asked = arguments.parse_args()
    for name in asked.sets:
        stage = staged(name, asked.segments)
        print(json.dumps({name: {"k": asked.segments, **figures(stage), **alone(stage)}}), flush=True)
