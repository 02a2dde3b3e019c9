"""The pictures of the comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy.cluster import hierarchy

from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.comparison import Comparison
from stream_seg.explore.compare.parameters import distances_to, knee, neighbours
from stream_seg.explore.compare.sample import drawn
from stream_seg.explore.compare.tree import Tree
from stream_seg.explore.page import COLOURS, MARKERS, WIDTH

LEAVES = 24
DOTS = 400  # customers on each map: more would be no clearer and make a heavy page
GREY = "#9a9a9a"


def matrix(found: Comparison) -> Figure:
    """Agreement of each with each: adjusted Rand below the diagonal, mutual information above it."""
    names = [one.name for one in found.judged]
    both = np.tril(found.rand, -1) + np.triu(found.information, 1) + np.eye(len(names))
    figure = Figure(figsize=(WIDTH, 0.85 * WIDTH))
    axes = figure.subplots()
    shown = axes.imshow(np.clip(both, 0.0, 1.0), cmap="cividis", vmin=0.0, vmax=1.0)
    for a in range(len(names)):
        for b in range(len(names)):
            if a != b:
                axes.text(
                    b, a, f"{both[a, b]:.2f}", ha="center", va="center", fontsize=7,
                    color="black" if both[a, b] > 0.55 else "white",
                )  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    bar = figure.colorbar(shown, ax=axes, shrink=0.8)
    bar.set_label("agreement (0: by chance, 1: the same groups)", fontsize=8)
    return figure


def dendrogram(tree: Tree) -> Figure:
    """The upper part of the tree with its named cuts."""
    figure = Figure(figsize=(WIDTH, 0.6 * WIDTH))
    axes = figure.subplots()
    drawn_tree = hierarchy.dendrogram(tree.merges, p=LEAVES, truncate_mode="lastp", no_plot=True)
    for x, y in zip(drawn_tree["icoord"], drawn_tree["dcoord"], strict=True):
        axes.plot(x, y, color="#333333", linewidth=1.0)
    width = 10.0 * len(drawn_tree["ivl"])
    for level, colour, dash in zip(tree.levels, COLOURS, ("--", "-.", ":"), strict=False):
        axes.axhline(level.height, color=colour, linestyle=dash, linewidth=1.3)
        axes.text(width * 1.01, level.height, f"{level.name} ({level.groups})", va="center", fontsize=8)
    axes.set_xlim(0.0, width)
    axes.set_ylim(bottom=0.0)
    ticks = [10.0 * i + 5.0 for i in range(len(drawn_tree["ivl"]))]
    axes.set_xticks(ticks, [text.strip("()") if "(" in text else "1" for text in drawn_tree["ivl"]], fontsize=7,
                    rotation=90)  # fmt: skip
    axes.set_xlabel(f"customers in each branch, of {tree.made_of:,}")
    axes.set_ylabel("distance at which branches join\n(Ward, standard deviations)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def reach(z: Float64, seed: int) -> Figure:
    """The distances that eps is read from, and its knee."""
    x = z[drawn(len(z), 5_000, seed)]
    k = neighbours(x)
    rising = distances_to(x, k)
    eps = knee(rising)
    figure = Figure(figsize=(WIDTH, 0.42 * WIDTH))
    axes = figure.subplots()
    step = max(1, len(rising) // 400)
    places = np.arange(0, len(rising), step)
    axes.plot(places / max(1, len(rising) - 1) * 100, rising[places], color=COLOURS[0])
    axes.axhline(eps, color=COLOURS[5], linestyle="--", linewidth=1.0)
    axes.text(1.0, eps, f" knee: {eps:.3g}", va="bottom", fontsize=8)
    axes.set_xlabel("share of the customers with at most this distance (%)")
    axes.set_ylabel(f"to the {k}-th neighbour\n(standard deviations)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def maps(z: Float64, found: Comparison) -> Figure:
    """The same customers on the same map for each method, coloured by its groups; noise is a grey cross."""
    rows = drawn(len(z), DOTS, found.seed)
    place, shares = _axes_of(z, rows)
    columns = 3
    lines = -(-len(found.judged) // columns)
    figure = Figure(figsize=(WIDTH, 2.0 * lines))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(left=0.1, bottom=0.07, right=0.98, top=0.97, wspace=0.08, hspace=0.22)
    for at, one in enumerate(found.judged):
        axes = grid[at // columns][at % columns]
        _dots(axes, place, one.labelled.labels[rows])
        axes.set_title(f"{one.name}: {one.labelled.groups}", fontsize=8)
        axes.tick_params(labelsize=7)
    for at in range(len(found.judged), lines * columns):
        grid[at // columns][at % columns].set_visible(False)
    figure.supxlabel(f"first principal axis ({shares[0]:.0%} of the spread, standard deviations)", fontsize=8)
    figure.supylabel(f"second principal axis ({shares[1]:.0%})", fontsize=8)
    return figure


def _dots(axes: object, place: Float64, labels: Int64) -> None:
    for group in np.unique(labels).tolist():
        inside = labels == group
        if group < 0:
            style = {"color": GREY, "marker": "x", "s": 9, "linewidths": 0.6}
        else:
            at = min(group, len(COLOURS) - 1)  # the smallest of many share the last colour
            style = {"color": COLOURS[at], "marker": MARKERS[at], "s": 7, "linewidths": 0}
        axes.scatter(place[inside, 0], place[inside, 1], **style)  # type: ignore[attr-defined]  # matplotlib's axes


def _axes_of(z: Float64, rows: Int64) -> tuple[Float64, Sequence[float]]:
    """The sampled rows along the two axes of the greatest spread, signs fixed, and the share of each."""
    middle = z - z.mean(axis=0)
    values, vectors = np.linalg.eigh(middle.T @ middle)
    first = vectors[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    place = middle[rows] @ first
    shares = (values[::-1] / max(values.sum(), 1e-300))[:2].tolist()
    if place.shape[1] < 2:  # one column only
        place, shares = np.column_stack([place, np.zeros(len(place))]), [*shares, 0.0]
    return place, shares
