"""``stream-seg explore``: from stored events to the folder with the customer table and the report."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson

from stream_seg.adapters.files import Form
from stream_seg.adapters.files.parquet import pyarrow
from stream_seg.adapters.memory.sampling import daily
from stream_seg.bootstrap.exploring import NEVER, Counts, study
from stream_seg.config import Config
from stream_seg.explore.beginning import FEWEST, MODEL, SEGMENTATION, model_json, segmentation
from stream_seg.explore.page import page, paragraph
from stream_seg.explore.report.categories import categories
from stream_seg.explore.report.distributions import distributions
from stream_seg.explore.report.encoders import encoders
from stream_seg.explore.report.engagement import engagement
from stream_seg.explore.report.islands import islands
from stream_seg.explore.report.missing import missing
from stream_seg.explore.report.observed import Observed
from stream_seg.explore.report.overview import overview
from stream_seg.explore.report.proposal import proposed, settled
from stream_seg.explore.report.redundancy import redundancy
from stream_seg.explore.report.subject import Chapter, Subject, missing_in, probed
from stream_seg.explore.run import CONFIG, RunFolder, configured, manifest, of_the_file_alone, recorded
from stream_seg.explore.table import CustomerTable
from stream_seg.pipeline.daily import Space
from stream_seg.progress import Tell

COMMAND = "explore"
DRAWING, MAPPING = "sections", "maps"
REPORT, FIGURES, TABLE, PROPOSAL = "report.html", "report.json", "table.parquet", "proposed.yaml"


class Options(msgspec.Struct, frozen=True):
    """What was asked: the instant to look at (ms), the file formats, what the maps are coloured by."""

    at: int | None
    format: Form | None
    colour: list[str]


def explore(
    config: Config, inputs: Sequence[str], out: Path, *, form: Form | None, end: int | None, colour: Sequence[str],
    tell: Tell,
) -> dict[str, Any]:  # fmt: skip
    """Writes the run's folder. Returns the figures of the report and what was written."""
    given = config.path.read_text(encoding="utf-8")
    of_the_file_alone(config)
    options = msgspec.to_builtins(Options(end, form, list(colour)))
    with RunFolder(out, manifest(COMMAND, inputs, options, config.definition.learning.seed)) as folder:
        subject, counts = _looked_at(config, inputs, form=form, end=end, tell=tell)
        chapters = dict[str, Chapter]()
        sections = _sections(subject, colour, lambda done, total: tell(MAPPING, done, total))
        for i, (name, section) in enumerate(sections.items()):
            tell(DRAWING, i, len(sections))
            chapters[name] = section()
        tell(DRAWING, len(sections), len(sections))
        changes = settled([change for chapter in chapters.values() for change in chapter.changes])
        figures = {"name": config.definition.name, **_figures(subject, counts)}
        figures |= {name: chapter.figures for name, chapter in chapters.items()}
        text = proposed(given, changes)
        figures["changes"] = [{"name": one.name, "keys": one.keys, "why": one.why} for one in changes]
        folder.write(CONFIG, given)
        for name, content in _begun(subject, given).items():
            folder.write(name, content)
        if text is not None:
            folder.write(PROPOSAL, text)
        folder.write(FIGURES, orjson.dumps(figures, option=orjson.OPT_INDENT_2))
        folder.write(TABLE, _parquet(subject))
        folder.write(
            REPORT,
            page(f"Customers of {config.definition.name}", _intro(figures), [c.section for c in chapters.values()]),
        )
        written = folder.written()
    return {**figures, "out": written}


def again(run: Path, out: Path, *, tell: Tell) -> dict[str, Any]:
    """Makes an earlier run again, from its inputs, options and configuration. Raises `Stop` where an input changed."""
    made, options = recorded(run, COMMAND, Options)
    config = configured(run / CONFIG)
    inputs = [one.path for one in made.inputs]
    return explore(config, inputs, out, form=options.format, end=options.at, colour=options.colour, tell=tell)


def _begun(subject: Subject, given: str) -> dict[str, bytes | str]:
    """The files with which a run begins with the segments of the report; none where there are no two of them."""
    segments, definition = subject.segments, subject.definition
    if segments.k < FEWEST:
        return {}
    found: dict[str, bytes | str] = {SEGMENTATION: segmentation(given, k=segments.k, names=segments.names)}
    if not definition.tiers:
        found[MODEL] = model_json(subject.table, segments.centers, segments.names, definition)
    return found


def _looked_at(
    config: Config, inputs: Sequence[str], *, form: Form | None, end: int | None, tell: Tell
) -> tuple[Subject, Counts]:
    """The table with what is missing in it, by one pass over the input."""
    observed = Observed(config.definition)
    found = study(
        replace(config, definition=probed(config.definition)), inputs, form=form, end=end, tell=tell,
        watch=lambda batch: observed.take(batch.keys, batch.times, batch.values), history=False,
    )  # fmt: skip
    wide, space = found.table, Space(daily(config.definition, every=NEVER))
    lacking = missing_in(config.definition, wide.space.plan.columns, wide.raw)
    raw = np.ascontiguousarray(wide.raw[:, : len(space.plan.columns)])
    table = CustomerTable(wide.at, wide.customers, raw, wide.silence, space)
    return Subject(table, config.definition, lacking, observed), found.counts


def _sections(
    subject: Subject, colour: Sequence[str], mapped: Callable[[int, int], None]
) -> dict[str, Callable[[], Chapter]]:
    return {
        "segments": lambda: overview(subject),
        "distributions": lambda: distributions(subject),
        "categories": lambda: categories(subject),
        "redundancy": lambda: redundancy(subject),
        "engagement": lambda: engagement(subject),
        "missing": lambda: missing(subject),
        "encoders": lambda: encoders(subject),
        "maps": lambda: islands(subject, colour, mapped),
    }


def _figures(subject: Subject, counts: Counts) -> dict[str, Any]:
    return {
        "at": _instant(subject.table.at),
        "customers": subject.n,
        "events": counts.events,
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "late": counts.late,
        "duplicates": counts.duplicates,
        "first": _instant(counts.first),
        "last": _instant(counts.last),
        "features": len(subject.definition.features),
        "columns_in_distance": len(subject.table.names),
    }


def _instant(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _intro(figures: dict[str, Any]) -> list[str]:
    left = [
        f"{figures[key]:,} {what}"
        for key, what in (
            ("rejected", "were no usable events"),
            ("late", "came too late"),
            ("duplicates", "were duplicates"),
        )
        if figures[key]
    ]
    first, last, at = (figures[key].replace("T", " ").removesuffix("+00:00") for key in ("first", "last", "at"))
    said = (
        f"{figures['customers']:,} customers as they were at {at} UTC, from {figures['accepted']:,} events between "
        f"{first} and {last}{'; ' + ', '.join(left) if left else ''}. {figures['features']} features are measured, by "
        f"the same code that labels live; {figures['columns_in_distance']} columns of them decide who is near to whom."
    )
    return [paragraph(said)]


def _parquet(subject: Subject) -> bytes:
    """Customers × features in real units, with the segment of each."""
    arrow = pyarrow()
    table = subject.table
    columns: dict[str, Any] = {"customer": list(table.customers), "segment": subject.segments.labels}
    columns |= {f"{c.name}": table.raw[:, i] for i, c in enumerate(table.space.plan.columns)}
    columns["silence_ms"] = table.silence
    out = io.BytesIO()
    import_module("pyarrow.parquet").write_table(arrow.table(columns), out, compression="zstd")
    return out.getvalue()


__all__ = ["explore"]
