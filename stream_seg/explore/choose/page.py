"""The page of a choice: what was chosen and why, the measures in pictures, and who the segments are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stream_seg.config.good import Good
from stream_seg.core.views import TIMES
from stream_seg.explore.choose.gap import Gap
from stream_seg.explore.choose.measuring import Measured, Measures
from stream_seg.explore.choose.ranking import SEPARATES, Ranked, elbow, percent
from stream_seg.explore.page import COLOURS, MARKERS, Section, page, paragraph, picture, rows, side_by_side, warning
from stream_seg.explore.table import CustomerTable

SMALL = (4.2, 2.9)
DAY_SECONDS = 86_400


def choice_page(
    name: str,
    question: str | None,
    good: Good,
    table: CustomerTable,
    measures: Measures,
    ranking: Sequence[Ranked],
    chosen: Ranked,
    findings: Sequence[str],
    replayed: Mapping[str, Any],
    *,
    warm: bool,
) -> str:
    """The whole page. `replayed`: what a run with the chosen segments says of the same events; `warm`: with a model."""
    intro = [
        paragraph(f"{len(table.customers):,} customers, {len(table.names)} features in the distance."),
        paragraph(f"The question: {question}" if question else "No question was given (`question:` in the file)."),
    ]
    return page(
        f"How many segments: {name}",
        intro,
        [
            Section("The choice", "choice", _choice(good, measures, ranking, chosen, findings)),
            Section("Measures", "measures", _measures(measures, chosen.measured.k)),
            Section("Who the segments are", "segments", _segments(table, chosen.measured, replayed)),
            Section("The way on", "next", _next(warm=warm)),
        ],
    )


def _choice(
    good: Good, measures: Measures, ranking: Sequence[Ranked], chosen: Ranked, findings: Sequence[str]
) -> list[str]:
    fewest, most = good.segments
    wanted = [
        f"{fewest} to {most} segments can be served",
        f"the smallest segment holds at least {percent(good.min_share)} of the customers",
        f"other draws of the customers agree by at least {good.min_stability:g}",
    ]
    if good.max_monthly_moves < 1.0:
        wanted.append(f"at most {percent(good.max_monthly_moves)} of the customers move in a month")
    wanted += [f"the segments differ in {name}" for name in good.must_separate]
    head = [
        "segments", "misses", "mean place", "smallest", "silhouette", "gap", "draws", "months", "names", "moves",
        "flips",
    ]  # fmt: skip
    body = [_row(one, one is chosen, measures.gap) for one in ranking]
    return [
        paragraph(f"Good means: {'; '.join(wanted)}."),
        *(warning(text) for text in findings),
        paragraph(f"Chosen: {chosen.measured.k} segments. {chosen.because}"),
        rows(head, body, right=range(1, len(head))),
        paragraph(
            "Mean place: among all numbers of segments, 1 is the best. Gap: the gap statistic with its standard error. "
            "Draws and months: agreement (adjusted Rand index) with other draws of the customers, and from month to "
            "month (median). Names: told apart in words. Moves: customers who move in 30 days. Flips: of 1,000 active "
            "customers a day, those whose label a live learner would have changed by itself; they do not rank. A "
            "dash: there were too few days or customers to measure it."
        ),
        *(paragraph(one.because) for one in ranking if one is not chosen),
    ]


def _row(one: Ranked, chosen: bool, gap: Gap) -> list[str]:  # noqa: FBT001 — a mark beside the number
    m = one.measured
    months = f"{np.median(m.months):.2f}" if m.months else "–"
    return [
        f"{m.k}{' ←' if chosen else ''}", str(len(one.misses)), f"{one.mean_place:.1f}", f"{min(m.shares):.1%}",
        f"{m.silhouette:.2f}", f"{gap.gaps[m.k - 1]:.2f} ± {gap.errors[m.k - 1]:.2f}",
        f"{m.stability.agreement:.2f}", months, f"{m.distinct} of {m.k}",
        "–" if m.moves is None else f"{m.moves:.0%}",
        "–" if m.flips is None else f"{m.flips.rate:.1f}",
    ]  # fmt: skip


def _measures(measures: Measures, chosen: int) -> list[str]:
    each = measures.each
    ks = [one.k for one in each]
    bend = elbow(ks, [one.inertia for one in each])
    pictures = [
        picture(_line(ks, [one.inertia for one in each], "inertia (squared scales)", mark=bend),
                f"Inertia falls with every segment more; the bend is at {bend}."),
        picture(_line(ks, [one.silhouette for one in each], "mean silhouette (-1 to 1)"),
                f"Customers lie closest to their own segment with {_best(each, 'silhouette')} segments."),
        picture(_gap(measures),
                f"Structure beyond a cloud without any: the gap statistic, one standard error either way, says "
                f"{measures.gap.best}."),
        picture(_stable(ks, each), "Agreement (adjusted Rand index) of segments learned from other draws of the "
                "customers, and of each month's with those of the month before."),
        picture(_line(ks, [min(one.shares) * 100 for one in each], "smallest segment (% of customers)"),
                "The smallest segment: below a few percent a campaign for it hardly pays."),
    ]  # fmt: skip
    if all(one.moves is not None for one in each):
        pictures.append(
            picture(
                _line(ks, [(one.moves or 0.0) * 100 for one in each], "move in 30 days (% of customers)"),
                "More segments have more borders: the share of customers who cross one within 30 days.",
            )
        )
    flips = {one.k: one.flips.weeks for one in each if one.flips is not None}
    if flips:
        pictures.append(
            picture(
                _flips({k: flips[k] for k in sorted({ks[0], chosen, ks[-1]}) if k in flips}),
                "Labels of active customers that a live learner changes though they did nothing, week by week: had it "
                "begun 120 days before the end, with the rules of the configuration and at most 5,000 customers.",
            )
        )
    said = [side_by_side(pictures)]
    if not flips:
        said.append(paragraph(
            "What a live learner would do to labels is not shown: in the last 120 days there were never enough "
            "different customers at once for it to begin (`segments.warm_start`)."
        ))  # fmt: skip
    return said


def _best(each: Sequence[Measured], field: str) -> int:
    return max(each, key=lambda one: float(getattr(one, field))).k


def _axes(xlabel: str, ylabel: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=SMALL)
    axes = figure.subplots()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e3e3")
    axes.set_axisbelow(True)
    return figure, axes


def _line(ks: Sequence[int], values: Sequence[float], label: str, mark: int | None = None) -> Figure:
    figure, axes = _axes("segments", label)
    axes.plot(ks, values, color=COLOURS[0], marker="o")
    if mark is not None:
        axes.axvline(mark, color=COLOURS[5], linestyle="--")
    axes.set_xticks(list(ks))
    return figure


def _gap(measures: Measures) -> Figure:
    figure, axes = _axes("segments", "gap (log inertia)")
    ks = range(1, len(measures.gap.gaps) + 1)
    axes.errorbar(ks, measures.gap.gaps, yerr=measures.gap.errors, color=COLOURS[0], marker="o", capsize=3)
    axes.axvline(measures.gap.best, color=COLOURS[5], linestyle="--")
    axes.set_xticks(list(ks))
    return figure


def _stable(ks: Sequence[int], each: Sequence[Measured]) -> Figure:
    figure, axes = _axes("segments", "agreement (0 to 1)")
    axes.plot(ks, [one.stability.agreement for one in each], color=COLOURS[0], marker=MARKERS[0], label="other draws")
    if all(one.months for one in each):
        middle = [float(np.median(one.months)) for one in each]
        axes.plot(ks, middle, color=COLOURS[1], marker=MARKERS[1], label="month to month")
    axes.set_xticks(list(ks))
    axes.set_ylim(0, 1.05)
    axes.legend(frameon=False)
    return figure


def _flips(weekly: Mapping[int, Sequence[float]]) -> Figure:
    """weekly: number of segments -> flips of each week."""
    figure, axes = _axes("week", "flips per 1,000 a day")
    for i, (k, weeks) in enumerate(weekly.items()):
        axes.plot(range(1, len(weeks) + 1), weeks, color=COLOURS[i], marker=MARKERS[i], label=f"{k} segments")
    axes.legend(
        frameon=False, loc="lower left", bbox_to_anchor=(-0.1, 1.0), ncols=3, handletextpad=0.3, columnspacing=1.0
    )
    return figure


def _segments(table: CustomerTable, one: Measured, replayed: Mapping[str, Any]) -> list[str]:
    said = {int(row["segment"]): row for row in replayed["segments"]}
    head = ["segment", "name", "nearest to it", "in it, as a run says", "silhouette", "found again by other draws"]
    body = [
        [
            str(j), one.names[j], f"{one.shares[j]:.1%}", _share(said.get(j)), f"{one.silhouettes[j]:.2f}",
            f"{one.stability.jaccard[j]:.2f}",
        ]
        for j in range(one.k)
    ]  # fmt: skip
    profile = [_profile(table, i, one) for i, column in enumerate(table.space.plan.columns) if column.part is None]
    return [
        rows(head, body, right=[2, 3, 4, 5]),
        paragraph(
            "A run keeps a customer where it is until another segment is clearly nearer (`segments.margin`), so its "
            "shares differ a little from those of the nearest centres. A segment that other draws find again by less "
            "than 0.6 is an accident of this one; above 0.75 it may be believed in (Hennig 2007)."
        ),
        *_separated(one),
        "<h3>Mean of each feature, in its own unit</h3>",
        rows(["feature", *(str(j) for j in range(one.k)), "everybody"], profile, right=range(1, one.k + 2)),
    ]


def _separated(one: Measured) -> list[str]:
    """How far the segments differ in what they must differ in."""
    if not one.separation:
        return []
    shares = "; ".join(f"{name} {share:.0%}" for name, share in one.separation.items())
    return [
        paragraph(
            f"What they must differ in: {shares} of the variance of a feature's ranks lies between the segments; "
            f"{percent(SEPARATES)} is asked for."
        )
    ]


def _profile(table: CustomerTable, i: int, one: Measured) -> list[str]:
    """A feature's name and unit, its mean in each segment, and everybody's."""
    column = table.space.plan.columns[i]
    in_days = column.feature.aggregate in TIMES
    values = table.raw[:, i] / DAY_SECONDS if in_days else table.raw[:, i]
    means = [_number(values[one.labels == j]) for j in range(one.k)]
    return [f"{column.name} (days)" if in_days else column.name, *means, _number(values)]


def _share(row: Mapping[str, Any] | None) -> str:
    return f"{row['share']:.1%}" if row else "0.0%"


def _number(values: np.ndarray[Any, Any]) -> str:
    if not len(values):
        return "–"
    mean = float(values.mean())
    return f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.3g}"


def _next(*, warm: bool) -> list[str]:
    with_model = (
        "In this folder: segmentation.yaml and model.json. With them a run begins warm: customers have segments from "
        "their first event on, and the learner goes on from these centres once the features' windows are full."
    )
    without = "In this folder: segmentation.yaml. There are tiers, so a run with it learns each tier's segments itself."
    return [
        paragraph(with_model if warm else without),
        "<pre>stream-seg config check segmentation.yaml\nstream-seg run --config segmentation.yaml</pre>",
        paragraph(
            "labels.ndjson holds what such a run says of the events explored here; choose --from this folder makes all "
            "of it again, to the bit."
        ),
    ]
