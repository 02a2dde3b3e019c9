"""Watching one tier's customer-days for drift, beside its learning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_seg.core.drift import DriftMonitor
from stream_seg.core.findings import Finding
from stream_seg.core.model import Float64, Int64, ModelVersion
from stream_seg.core.quantisation import Centers
from stream_seg.pipeline.table import Sample
from stream_seg.pipeline.training import Training
from stream_seg.ports import Message
from stream_seg.wire.drift import finding_messages


class Watch:
    """Drift, as one tier's training sees it. The state is written down by `dump`; other columns begin it anew."""

    def __init__(self, training: Training, state: bytes | None) -> None:
        self.training = training
        self.columns = [column.name for column in training.columns_used]
        detector = training.rules.drift_detector
        self.monitor = DriftMonitor.load(state) if state else DriftMonitor(self.columns, detector)
        if self.monitor.columns != self.columns or self.monitor.detector != detector:
            self.monitor = DriftMonitor(self.columns, detector)

    def dump(self) -> bytes:
        """The whole state."""
        return self.monitor.dump()

    def adopt(self, model: ModelVersion) -> None:
        """Measures by a version from now on."""
        absent = (np.nan,) * len(model.columns)
        centers = np.array([center or absent for center in model.centers])
        self.monitor.adopt(model.version, Centers(np.array(model.mean), np.array(model.scale), centers))

    def day(self, previous: int, day: int) -> list[Finding]:
        """What there is to say of the customers who did something after `previous` and up to `day`."""
        training = self.training
        if day < training.state.ready:
            return []
        active = training.table.active(previous, day)
        now, before = [pair[1] for pair in active], [pair[0] for pair in active]
        hashes = np.array([sample.hash for sample in now], np.int64)
        period = training.engine.activation.definition.learn_every
        return self.monitor.observe(day // period, training.vectors(now), hashes, self._known(before))

    def _known(self, samples: Sequence[Sample | None]) -> Float64:
        """The vectors of those that are there, NaN for the others."""
        found = np.full((len(samples), len(self.columns)), np.nan)
        at: Int64 = np.array([i for i, sample in enumerate(samples) if sample is not None], np.int64)
        found[at] = self.training.vectors([sample for sample in samples if sample is not None])
        return found

    def messages(self, findings: Sequence[Finding], day: int) -> list[Message]:
        """The findings, to be published."""
        return finding_messages(findings, self.training.engine, self.monitor.version, day)
