"""Customers with a structure that is known, and the comparison of them."""

from __future__ import annotations

from functools import cache

import numpy as np

from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.comparison import Comparison, Judged, compare
from stream_seg.explore.compare.methods import METHODS


def scaled(x: Float64) -> Float64:
    return np.ascontiguousarray((x - x.mean(axis=0)) / x.std(axis=0))


def blobs(n: int = 600) -> tuple[Float64, Int64]:
    """Three round groups, far apart."""
    generator = np.random.default_rng(3)
    who = np.arange(n) % 3
    return scaled(np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])[who] + generator.normal(size=(n, 2))), who


def rings(n: int = 900) -> tuple[Float64, Int64]:
    """One ring inside another: dense, apart, and with the same centre."""
    generator = np.random.default_rng(4)
    who = (np.arange(n) % 3 > 0).astype(np.int64)
    angle = generator.uniform(0.0, 2.0 * np.pi, n)
    far = np.where(who == 1, 5.0, 2.5) + generator.normal(0.0, 0.1, n)
    return scaled(np.column_stack([far * np.cos(angle), far * np.sin(angle)])), who


def niche(n: int = 1_500) -> tuple[Float64, Int64]:
    """One wide crowd, and 2 % who stand close together at its edge."""
    generator = np.random.default_rng(5)
    who = (np.arange(n) % 50 == 0).astype(np.int64)
    x = generator.normal(0.0, 1.0, (n, 2))
    x[who == 1] = np.array([0.0, 5.0]) + generator.normal(0.0, 0.1, (int(who.sum()), 2))
    return scaled(x), who


def crowd(n: int = 600) -> tuple[Float64, Int64]:
    """No groups at all."""
    return scaled(np.random.default_rng(6).uniform(size=(n, 2))), np.zeros(n, np.int64)


PLANTED = {"blobs": (blobs, 3), "rings": (rings, 2), "niche": (niche, 3), "crowd": (crowd, 4)}


@cache
def compared(name: str) -> tuple[Comparison, Float64, Int64]:
    """The comparison of one of them, made once."""
    made, k = PLANTED[name]
    z, who = made()
    # river's walk customer by customer, in Python: they are asked about blobs alone.
    methods = METHODS if name == "blobs" else [one for one in METHODS if one.kind != "streaming"]
    return compare(z, k, 7, lambda *_: None, methods), z, who


def by_name(found: Comparison) -> dict[str, Judged]:
    return {one.name: one for one in found.judged}
