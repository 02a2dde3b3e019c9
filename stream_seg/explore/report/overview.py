"""What was looked at, and the segments that everything below is coloured by."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream_seg.explore.beginning import FEWEST, MODEL, SEGMENTATION
from stream_seg.explore.page import Section, paragraph, picture, rows, warning
from stream_seg.explore.report.drawing import WHOLE, canvas, heatmap
from stream_seg.explore.report.subject import Chapter, Subject, apartness
from stream_seg.explore.report.units import percent, signed

FEW = 50  # customers below which shares and shapes are chance
COLUMNS = 30  # features in the picture


def overview(subject: Subject) -> Chapter:
    """The section."""
    segments, table = subject.segments, subject.table
    sizes = np.bincount(segments.labels, minlength=segments.k)
    apart = apartness(table.z, segments.labels, subject.seed)
    out = subject.n - len(table.within)
    figures: dict[str, Any] = {
        "k": segments.k,
        "k_configured": subject.k,
        "silhouette": apart,
        "out_of_reach": out,
        "segments": [
            {"segment": i, "name": name, "customers": int(sizes[i]), "share": float(sizes[i] / subject.n)}
            for i, name in enumerate(segments.names)
        ],
    }
    parts = [
        paragraph(
            f"All pictures below use the same {segments.k} segment{'s' if segments.k > 1 else ''}: the best batch "
            f"k-means fit with the configured k. The average silhouette is {apart:.2f} ({_meaning(apart)}). Whether "
            f"{subject.k} is a good number is what `stream-seg choose` answers."
        )
    ]
    if segments.k >= FEWEST:
        parts.append(paragraph(_way_on(subject)))
    if subject.n < FEW:
        parts.append(warning(f"With {subject.n} customers shares and shapes are mostly chance."))
    if segments.k < subject.k:
        parts.append(
            warning(f"Asked for were {subject.k}; there are only {segments.k} different customers to tell apart.")
        )
    if out:
        parts.append(
            paragraph(
                f"{out} customer{'s are' if out > 1 else ' is'} out of reach of all others in some feature, belong"
                f"{'' if out > 1 else 's'} to the nearest segment and shape{'' if out > 1 else 's'} none."
            )
        )
    body = [
        [str(one["segment"]), one["name"], f"{one['customers']:,}", percent(one["share"])]
        for one in figures["segments"]
    ]
    parts.append(rows(["segment", "what sets it apart", "customers", "share"], body, right=[0, 2, 3]))
    if segments.k > 1:
        parts.append(_picture(subject))
    return Chapter(Section("Segments at a glance", "segments", parts), figures)


def _way_on(subject: Subject) -> str:
    if subject.definition.tiers:
        return f"{SEGMENTATION} beside this page asks for as many; a model cannot be given to a tier."
    return (
        f"{SEGMENTATION} and {MODEL} beside this page hold them: `stream-seg run --config {SEGMENTATION}` begins with "
        "these segments, from the first event on."
    )


def _meaning(apart: float) -> str:
    for limit, said in (
        (0.5, "clearly apart"),
        (0.25, "apart, with borders that run through customers"),
        (0.1, "weakly apart"),
    ):
        if apart >= limit:
            return said
    return "hardly apart: borders are a decision, not a discovery"


def _picture(subject: Subject) -> str:
    segments, table = subject.segments, subject.table
    spread = segments.centers.std(axis=0)
    chosen = np.sort(np.argsort(-spread, kind="stable")[:COLUMNS])
    values = segments.centers[:, chosen].T
    most = float(np.abs(values).max(initial=1.0))
    with canvas(WHOLE, 0.9 + 0.27 * max(len(chosen), 3)) as figure:
        axes = figure.subplots()
        text = [[signed(v) for v in line] for line in values.tolist()]
        heatmap(
            figure, axes, values, [table.names[f] for f in chosen], [str(i) for i in range(segments.k)],
            label="standard deviations", ramp="PuOr_r", limits=(-most, most), text=text,
        )  # fmt: skip
        axes.set_xlabel("segment")
    telling = table.names[int(np.argmax(spread))]
    i = int(np.argmax(np.abs(segments.centers[:, int(np.argmax(spread))])))
    value = segments.centers[i, int(np.argmax(spread))]
    caption = (
        f"Where the centre of each segment lies, in standard deviations from the mean of all. {telling} tells segments "
        f"apart most: {signed(value)} in segment {i} ({segments.names[i]})."
    )
    return picture(figure, caption, broad=True)
