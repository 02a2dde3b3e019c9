"""The t-SNE section: maps, what they are coloured by, and whether their islands outlast the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64, Int64
from stream_seg.explore.page import Section, paragraph, picture, rows, side_by_side, warning
from stream_seg.explore.report.categories import values_of
from stream_seg.explore.report.drawing import (
    HALF,
    bare,
    canvas,
    scatter_by_value,
    scatter_of_segments,
    short,
)
from stream_seg.explore.report.maps import (
    LEAST,
    MAPPED,
    SMALLEST_ISLAND,
    USUAL,
    Map,
    agreement,
    aligned,
    drawn_maps,
    faithful,
    together,
)
from stream_seg.explore.report.subject import Chapter, Subject, drawn
from stream_seg.explore.report.units import percent

TELLING = 3  # features that colour a map where none is chosen
LEGEND = 7  # categories with a colour of their own
SURVIVES, PARTLY = 0.8, 0.5
NO_UNIT = "no unit: only who is close by counts"
WARNING = (
    "A t-SNE map keeps who is near to whom and little else. The distance between two islands, the size of an island "
    "and how dense it is mean nothing; islands appear in pure noise, too. Do not count segments on it. What counts is "
    "the agreement below."
)


def islands(subject: Subject, chosen: Sequence[str], done: Callable[[int, int], None]) -> Chapter:
    """The section; `chosen`: the features that colour a map."""
    title, table = "Maps of the customers (t-SNE)", subject.table
    within = table.within[drawn(len(table.within), MAPPED, subject.seed)]
    z = np.ascontiguousarray(table.z[within])
    why = _impossible(z)
    if why:
        return Chapter(Section(title, "maps", [paragraph(f"No map: {why}")]), {"maps": [], "why": why})
    found = drawn_maps(z, subject.seed, done)
    maps = [one for one in found if one.kind == "customers"]
    noise = [one for one in found if one.kind == "noise"]
    middle = _middle(maps)
    labels = subject.segments.labels[within]
    maps = [one._replace(points=aligned(one.points, middle.points)) for one in maps]
    middle = _middle(maps)
    figures = _figures(z, maps, noise, labels) | {"mapped": len(z), "customers": subject.n}
    colours = list(chosen) or telling(subject, TELLING)
    figures["colours"] = colours
    figures["verdict"] = verdict = _verdict(figures)
    which = f"{len(z):,} of the {subject.n:,} customers, chosen at random with the seed: " if len(z) < subject.n else ""
    parts = [
        warning(WARNING),
        paragraph(verdict),
        paragraph(_means(figures)),
        _large(subject, middle, labels, which),
        _grid(subject, maps, labels, figures),
        _table(figures),
        paragraph(f"The same map (perplexity {middle.perplexity}, start: {middle.start}), coloured by features:"),
        side_by_side([_coloured(subject, middle, within, name) for name in colours]),
    ]
    return Chapter(Section(title, "maps", parts), figures)


def _impossible(z: Float64) -> str:
    if len(z) < LEAST:
        return f"it takes at least {LEAST} customers within reach of each other, here are {len(z)}."
    different = len(np.unique(z, axis=0))
    if different < LEAST:
        return f"it takes at least {LEAST} different customers, here are {different}: too many are alike."
    return ""


def _middle(maps: Sequence[Map]) -> Map:
    """The one that is shown large: the middle perplexity from the principal components."""
    usual = [one for one in maps if one.start == USUAL]
    return usual[len(usual) // 2]


def _figures(z: Float64, maps: Sequence[Map], noise: Sequence[Map], labels: Int64) -> dict[str, Any]:
    near = faithful(z, maps)
    again, chance = together(maps)
    return {
        "agreement": agreement(maps),
        "together_again": again,
        "together_by_chance": chance,
        "agreement_of_noise": agreement(noise),
        "islands_of_noise": [one.number for one in noise],
        **{key: near[key] for key in ("neighbours", "kept_between")},
        "kept": float(np.mean(near["kept"])),
        "maps": [
            {
                "perplexity": one.perplexity,
                "start": one.start,
                "islands": one.number,
                "in_islands": float((one.islands >= 0).mean()),
                "kept": near["kept"][i],
                "segments_agree": _within_islands(one.islands, labels),
            }
            for i, one in enumerate(maps)
        ],
    }


def _within_islands(islands: Int64, labels: Int64) -> float:
    inside = islands >= 0
    return adjusted_rand(islands[inside], labels[inside]) if inside.any() else 0.0


def _verdict(f: dict[str, Any]) -> str:
    counts = [one["islands"] for one in f["maps"]]
    many = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(counts[0])
    noise = f["agreement_of_noise"]
    said = (
        f"Do the islands survive other settings? Agreement {f['agreement']:.2f} (1: the same customers together on "
        f"every map, 0: chance; maps of mere noise with the same correlations reach {noise:.2f}), with {many} islands "
        f"on {len(counts)} maps. Of two customers who share an island on one map, {percent(f['together_again'])} do on "
        f"another one ({percent(f['together_by_chance'])} by chance). "
    )
    if np.median(counts) < 2:
        return said + "There are no islands: customers differ by degrees, and borders between segments are a decision."
    if f["agreement"] >= SURVIVES and f["agreement"] > noise + 0.1:
        return said + "They survive: these groups are in the data, not in the settings of the map."
    if f["agreement"] >= PARTLY and f["agreement"] > noise + 0.1:
        return said + "They survive in part: some groups are in the data, others come and go with the settings."
    return (
        said
        + "They do not survive: what looks like an island on one map is torn apart on another. Build nothing on them."
    )


def _means(f: dict[str, Any]) -> str:
    return (
        f"How it is measured: on each map dense places of at least {SMALLEST_ISLAND * 100:.0f} % of the customers are "
        "found (HDBSCAN); who is in none of them counts as a group of its own. Agreement is the mean adjusted Rand of "
        "each two maps: it asks whether the same customers are together, whatever the islands are called and wherever "
        f"they lie. Beside it, for data without islands: of the {f['neighbours']} nearest of a customer "
        f"{percent(f['kept'])} are so on a map as well, and two maps share {percent(f['kept_between'])}. That is the "
        "most that may be read from a map: who is close by."
    )


def _large(subject: Subject, middle: Map, labels: Int64, which: str) -> str:
    with canvas(5.2, 5.0) as figure:
        axes = figure.subplots()
        scatter_of_segments(axes, middle.points, labels, subject.segments.k)
        bare(axes)
        axes.set_xlabel(NO_UNIT)
        handles, _ = axes.get_legend_handles_labels()
        names = [f"{i} {short(name, 34)}" for i, name in enumerate(subject.segments.names)]
        figure.legend(
            handles, names[: len(handles)], loc="outside lower left", ncols=2, markerscale=2, handletextpad=0.2
        )  # fmt: skip
    agree = _within_islands(middle.islands, labels)
    said = "segments and islands are nearly the same" if agree > 0.8 else (
        "segments follow the islands in part" if agree > 0.4 else "segments are not the islands"
    )  # fmt: skip
    caption = (
        f"{which}{'p' if which else 'P'}erplexity {middle.perplexity}, coloured by segment, {middle.number} islands; "
        f"{said} (adjusted Rand {agree:.2f} within islands)."
    )
    return picture(figure, caption)


def _grid(subject: Subject, maps: Sequence[Map], labels: Int64, figures: dict[str, Any]) -> str:
    columns = len({one.perplexity for one in maps})
    lines = len(maps) // columns
    with canvas(2.4 * max(columns, 2), 2.45 * lines) as figure:
        grid = figure.subplots(lines, columns, squeeze=False)
        for i, one in enumerate(maps):
            axes = grid[i % lines, i // lines]
            scatter_of_segments(axes, one.points, labels, subject.segments.k)
            bare(axes)
            axes.set_title(f"perplexity {one.perplexity}")
            axes.set_ylabel(f"start: {one.start}" if i // lines == 0 else "")
            axes.set_xlabel(f"{one.number} island{'' if one.number == 1 else 's'}")
    caption = (
        f"The same customers under {len(maps)} settings, coloured by segment, no unit on either axis; agreement of the "
        f"islands {figures['agreement']:.2f}."
    )
    return picture(figure, caption, broad=True)


def _table(figures: dict[str, Any]) -> str:
    body = [
        [
            str(one["perplexity"]), one["start"], str(one["islands"]), percent(one["in_islands"]), percent(one["kept"]),
            f"{one['segments_agree']:.2f}",
        ]
        for one in figures["maps"]
    ]  # fmt: skip
    head = ["perplexity", "start", "islands", "customers in one", "nearest kept", "segments are the islands"]
    return rows(head, body, right=[0, 2, 3, 4, 5])


def telling(subject: Subject, most: int) -> list[str]:
    """The features whose differences lie between segments more than within them, the most telling first."""
    z, labels = subject.table.z, subject.segments.labels
    centers = np.array([z[labels == i].mean(axis=0) for i in range(subject.segments.k) if (labels == i).any()])
    sizes = np.array([(labels == i).sum() for i in range(subject.segments.k) if (labels == i).any()])
    between = (centers * centers * sizes[:, None]).sum(axis=0) / np.maximum((z * z).sum(axis=0), 1e-12)
    order = np.argsort(-between.round(9), kind="stable")
    return list(dict.fromkeys(subject.table.columns[f].feature.name for f in order.tolist()))[:most]


def _coloured(subject: Subject, one: Map, within: Int64, name: str) -> str:
    feature = next(f for f in subject.definition.features if f.name == name)
    with canvas(HALF, 3.6) as figure:
        axes = figure.subplots()
        bare(axes)
        axes.set_title(name)
        axes.set_xlabel(NO_UNIT)
        if feature.encode is None:
            caption = _by_number(subject, figure, axes, one, within, name)
        else:
            values = np.array(values_of(subject, feature))[within]
            caption = _by_category(figure, axes, one, values, name)
    return picture(figure, caption)


def _by_number(subject: Subject, figure: Any, axes: Any, one: Map, within: Int64, name: str) -> str:
    at = subject.table.space.plan.names.index(name)
    unit = subject.unit(subject.table.space.plan.columns[at])
    values = subject.table.raw[within, at] / unit.size
    ranks = _transformed(subject, at)[within]
    scatter_by_value(figure, axes, one.points, values, unit.name)
    near = faithful_value(one.points, ranks)
    said = "changes smoothly over the map" if near > 0.6 else "varies from neighbour to neighbour"
    return (
        f"{name} ({unit.name}) {said}: of its differences {percent(max(near, 0.0))} lie between places of the map, "
        f"not within."
    )


def _transformed(subject: Subject, at: int) -> Float64:
    return np.ascontiguousarray(subject.table.space.transformed(subject.table.raw)[:, at])


def faithful_value(points: Float64, values: Float64) -> float:
    """How much of the variance of a value lies between places of a map, of 8 by 8 fields; 0: none, 1: all."""
    total = float(((values - values.mean()) ** 2).sum())
    if total <= 0:
        return 0.0
    edges = [np.quantile(points[:, axis], np.linspace(0, 1, 9)[1:-1]) for axis in (0, 1)]
    field = np.searchsorted(edges[0], points[:, 0]) * 8 + np.searchsorted(edges[1], points[:, 1])
    inside = sum(((values[field == f] - values[field == f].mean()) ** 2).sum() for f in np.unique(field))
    return float(1.0 - inside / total)


def _by_category(figure: Any, axes: Any, one: Map, values: Any, name: str) -> str:
    names, counts = np.unique(values, return_counts=True)
    order = [str(names[i]) for i in np.argsort(-counts, kind="stable")]
    shown = order[:LEGEND]
    labels = np.array([shown.index(v) if v in shown else len(shown) for v in values.tolist()], np.int64)
    k = len(shown) + (len(order) > len(shown))
    scatter_of_segments(axes, one.points, labels, k)
    handles, _ = axes.get_legend_handles_labels()
    texts = [short(v, 18) for v in shown] + (["all others"] if k > len(shown) else [])
    figure.legend(handles, texts[: len(handles)], loc="outside lower left", ncols=3, markerscale=1.6, handletextpad=0.1)
    agree = _within_islands(one.islands, labels)
    said = "islands are this category" if agree > 0.6 else "islands go beyond this category"
    return f"{name}: {order[0]} is the most frequent; {said} (adjusted Rand {agree:.2f})."
