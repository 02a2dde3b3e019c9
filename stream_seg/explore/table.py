"""The customer table: all customers at one instant, as the live feature code sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stream_seg.core.model import Float64, Int64
from stream_seg.core.operation import Limits, limits_of
from stream_seg.core.plan import Column
from stream_seg.core.scaling import REACH, Scaler, scaler_of
from stream_seg.pipeline.daily import Space


@dataclass(frozen=True)
class CustomerTable:
    """All customers at one instant; n of them.

    at         ms: everything is as of this instant
    customers  (n,) ids, in order
    raw        (n, all columns) in real units, outcomes too: `space.plan.columns` says what they are
    silence    (n,) ms since each customer's last event
    """

    at: int
    customers: tuple[str, ...]
    raw: Float64
    silence: Int64
    space: Space

    @property
    def names(self) -> list[str]:
        """The columns in the distance, f of them."""
        return self.space.names

    @property
    def columns(self) -> list[Column]:
        """What those are."""
        return [self.space.plan.columns[at] for at in self.space.columns]

    @cached_property
    def limits(self) -> Limits:
        """The quantile clips that features ask for, learned from this table."""
        return limits_of(self.columns, self.space.seen(self.raw))

    @cached_property
    def x(self) -> Float64:
        """(n, f) after clip and log1p, as a learner gets them."""
        return self.limits.clip(self.space.seen(self.raw))

    @cached_property
    def scaler(self) -> Scaler:
        """The scale of the customers; who is out of reach of all others does not count."""
        return scaler_of(self.x)

    @cached_property
    def z(self) -> Float64:
        """(n, f) in units of the scale: what distances are measured in."""
        return self.scaler.transform(self.x)

    @cached_property
    def near(self) -> Float64:
        """The rows of `z` that may shape segments: nobody who is out of reach of all others."""
        return self.z[self.within]

    @cached_property
    def within(self) -> Int64:
        """Which rows those are."""
        return np.flatnonzero((np.abs(self.z) <= REACH).all(axis=1)).astype(np.int64)

    def values(self, name: str) -> Float64:
        """One column in real units, (n,). Raises `KeyError` for a name that is none."""
        names = [column.name for column in self.space.plan.columns]
        if name not in names:
            raise KeyError(name)
        return np.ascontiguousarray(self.raw[:, names.index(name)])
