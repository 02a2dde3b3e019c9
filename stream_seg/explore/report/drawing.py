"""How every picture of the report is drawn: sizes that stay legible on a phone, colours that all can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream_seg.core.model import Float64, Int64
from stream_seg.explore.page import COLOURS, MARKERS

HALF, WHOLE = 4.6, 7.2  # inches: a picture in one of two columns, one over the whole width
DOTS = 150  # per inch, of what is drawn as dots: thousands of customers as vectors would be megabytes
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5, "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "savefig.dpi": DOTS, "svg.fonttype": "none", "svg.hashsalt": "stream_seg", "legend.frameon": False,
}  # fmt: skip
SOFT, STRONG, LINE = "#9DB7CC", COLOURS[0], "#444444"


@contextmanager
def canvas(width: float = HALF, height: float = 2.3) -> Iterator[Figure]:
    """A figure in the style of the report, in inches."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def colour(i: int) -> str:
    """Of segment i."""
    return COLOURS[i % len(COLOURS)]


def marker(i: int) -> str:
    """Of segment i: with more segments than colours the pairs still differ."""
    return MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]


def histogram(axes: Axes, values: Float64, *, colour: str = STRONG) -> int:
    """Customers by value, the farthest 0.5 % on either side left out where they would squeeze the others.

    Returns how many are left out.
    """
    low, high = np.quantile(values, [0.005, 0.995])
    least, most = values.min(), values.max()
    if most - least <= 1.5 * (high - low) or high <= low:
        low, high = least, most
    inside = values[(values >= low) & (values <= high)]
    if high > low:
        counts, edges = np.histogram(inside, bins=min(40, max(8, len(np.unique(inside)))), range=(low, high))
    else:
        counts, edges = np.array([len(inside)]), np.array([low - 0.5, low + 0.5])
    axes.stairs(counts, edges, fill=True, color=colour)
    axes.set_ylabel("customers")
    return len(values) - len(inside)


def bars(axes: Axes, names: Sequence[str], values: Sequence[float], *, colour: str = STRONG) -> None:
    """Horizontal bars, the first on top."""
    places = range(len(names))
    axes.barh(places, values, color=colour, height=0.7)
    axes.set_yticks(places, labels=[short(name) for name in names])
    axes.invert_yaxis()


def heatmap(
    figure: Figure, axes: Axes, values: Float64, rows: Sequence[str], columns: Sequence[str], *, label: str,
    ramp: str = "cividis", limits: tuple[float, float] | None = None, text: Sequence[Sequence[str]] | None = None,
) -> None:  # fmt: skip
    """A table as colours, with the numbers in the cells where `text` has them."""
    low, high = limits or (float(values.min(initial=0.0)), float(values.max(initial=1.0)))
    shown = axes.imshow(values, aspect="auto", cmap=ramp, vmin=low, vmax=high, interpolation="nearest")
    axes.set_xticks(range(len(columns)), labels=list(columns))
    axes.set_yticks(range(len(rows)), labels=[short(row) for row in rows])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(shown, ax=axes, label=label, shrink=0.9)
    ramp_of = mpl.colormaps[ramp]
    for i, line in enumerate(text or []):
        for j, cell in enumerate(line):
            r, g, b, _ = ramp_of((values[i, j] - low) / ((high - low) or 1.0))
            dark = 0.299 * r + 0.587 * g + 0.114 * b < 0.5
            axes.text(j, i, cell, ha="center", va="center", fontsize=7.5, color="white" if dark else "black")


def scatter_of_segments(axes: Axes, points: Float64, labels: Int64, k: int) -> None:
    """Customers as dots, rasterised; each segment has its colour and its shape."""
    order = np.random.default_rng(0).permutation(len(points))  # no segment lies on top of all others
    for i in range(k):
        mine = order[labels[order] == i]
        axes.scatter(
            points[mine, 0], points[mine, 1], s=9, c=colour(i), marker=marker(i), linewidths=0, alpha=0.8,
            rasterized=True, label=str(i),
        )  # fmt: skip


def scatter_by_value(figure: Figure, axes: Axes, points: Float64, values: Float64, label: str) -> None:
    """Customers as dots, rasterised, dark to bright by value; the outermost 2 % share the end colours."""
    low, high = np.quantile(values, [0.02, 0.98])
    high = high if high > low else low + 1.0
    shown = axes.scatter(
        points[:, 0], points[:, 1], s=7, c=values, cmap="cividis", vmin=low, vmax=high, linewidths=0, rasterized=True
    )
    figure.colorbar(shown, ax=axes, label=label, shrink=0.9)


def bare(axes: Axes) -> None:
    """A map: its axes have no unit, so they have no ticks; a frame says where it ends."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#cccccc")
    axes.set_aspect("equal", "datalim")


def short(text: str, most: int = 26) -> str:
    """A label that leaves room for the picture."""
    return text if len(text) <= most else text[: most - 1] + "…"
