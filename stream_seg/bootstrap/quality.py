"""``stream-seg quality``: what the segments learned from stored events are worth, measured day by day.

One pass of the real feature code over the input gives the samples of each day; several learners learn from them at the
same time, each in a real LEARN of its own. Nothing depends on a clock: the same input gives the same figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from stream_seg.adapters.files import Batch, Form, in_order, read
from stream_seg.adapters.memory.panel import Panel
from stream_seg.adapters.memory.sampling import Sampling, daily
from stream_seg.adapters.memory.trial import Trial
from stream_seg.config import Config
from stream_seg.core.definition import Learning
from stream_seg.pipeline.verdict import KEYS, Figures, agreement, drift_figures, reasons, rounded, worst_shift
from stream_seg.progress import Tell

SEEDS = 3  # learners that differ by the seed alone
FEW = 4  # segments for which a batch fit is so clear that one has to agree with it
AS_IT_IS, AT_FEW = "as configured", f"k = {FEW}"
READING, LEARNING = "reading", "learning"


def run_quality(config: Config, inputs: Sequence[str], *, form: Form | None, tell: Tell) -> Figures:
    """Measures the learning of `config` on files; see `stream_seg.pipeline.verdict.KEYS` for the figures."""
    rules = config.definition.learning
    seeds = {f"seed {rules.seed + i}": msgspec.structs.replace(rules, seed=rules.seed + i) for i in range(1, SEEDS)}
    learners = {AS_IT_IS: rules, **seeds, AT_FEW: msgspec.structs.replace(rules, k=FEW)}
    activation = daily(config.definition)
    trials = {name: Trial.begin(activation, learning) for name, learning in learners.items()}
    panel, sampling = Panel(activation, trials, (AS_IT_IS, *seeds)), Sampling(activation)
    source = _Usable(read([Path(name) for name in inputs], config.definition.input.mapping, form=form), tell)
    for number, records in enumerate(sampling.days(in_order(source.batches())), 1):
        panel.take(records)
        tell(LEARNING, number, None)
    state = sampling.state
    counts = {
        "events": source.read, "accepted": state.accepted, "dead_letters": source.rejected + state.rejected,
        "late": state.late, "duplicates": state.duplicates,
    }  # fmt: skip
    return {**counts, **figures_of(panel, rules, tell)}


def figures_of(panel: Panel, rules: Learning, tell: Tell) -> Figures:
    """The figures of the first learner of a panel; those that nothing could be measured for are None, with a reason."""
    course = next(iter(panel.courses.values()))
    few = panel.courses.get(AT_FEW, course)
    own = course.figures()
    found: Figures = {
        "days": panel.days,
        "customers": panel.customers,
        "k": rules.k,
        "learner": rules.learner,
        **dict.fromkeys(KEYS),
        **own,
        "ari_seeds_min": agreement(panel.agreements),
        "ari_batch_k4": few.figures()["ari_batch"],
        "shift_inertia_ratio_max": worst_shift(panel.shifts.ratios),
        "shift_inertia_ratio_by_feature": {name: max(of) for name, of in panel.shifts.ratios.items() if of},
        **drift_figures(panel.stage, tell),
    }
    found["why"] = reasons(found, course, panel.stage, panel.days)
    return {name: rounded(value) for name, value in found.items()}


class _Usable:
    """Batches without what is no event, and how many there were of either."""

    def __init__(self, given: Iterator[Batch], tell: Tell) -> None:
        self._given = given
        self._tell = tell
        self.read = self.rejected = 0

    def batches(self) -> Iterator[Batch]:
        for batch in self._given:
            self.read += len(batch)
            self.rejected += len(batch.rejected)
            self._tell(READING, self.read, None)
            usable = np.setdiff1d(np.arange(len(batch)), np.array(list(batch.rejected), np.int64))
            if len(usable):
                yield batch.take(usable) if batch.rejected else batch
