"""``stream-seg compare``: from stored events to methods side by side, in a folder that can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import orjson

from stream_seg.adapters.files import Form
from stream_seg.bootstrap.exploring import Study, study
from stream_seg.config import Config
from stream_seg.core.naming import names_of
from stream_seg.explore.compare import advice, comparison, document, report
from stream_seg.explore.run import CONFIG, TIMINGS, RunFolder, manifest, of_the_file_alone, recorded
from stream_seg.progress import Tell

COMMAND = "compare"
DRAWING = "drawing"


class Options(msgspec.Struct, frozen=True):
    """at: ms, not included; k and plan: None follows the configuration."""

    form: Form | None
    at: int | None
    k: int | None
    plan: str | None


class Asked(NamedTuple):
    """What a comparison is asked for."""

    inputs: tuple[str, ...]
    options: Options


def asked_again(run: Path) -> Asked:
    """What an earlier run was asked for. Raises `Stop` where it is another command's, or an input has changed."""
    made, options = recorded(run, COMMAND, Options)
    return Asked(tuple(one.path for one in made.inputs), options)


def comparing(config: Config, asked: Asked, out: Path, tell: Tell) -> dict[str, Any]:
    """Compares, and writes the folder `out`.

    Raises `Stop` where there is nothing to compare.
    """
    of_the_file_alone(config)
    made = manifest(COMMAND, asked.inputs, msgspec.to_builtins(asked.options), _seed(config))
    settings = config.definition
    k = asked.options.k or settings.learning.k
    with RunFolder(out, made) as folder:
        content = config.path.read_bytes()
        found = study(config, asked.inputs, form=asked.options.form, end=asked.options.at, tell=tell)
        z = found.table.near
        compared = comparison.compare(z, k, _seed(config), tell)
        levers = sum(1 for one in settings.levers if one.lever)
        plan = next((one for one in get_args(advice.Plan) if one == asked.options.plan), None)
        columns = found.table.columns
        told = _about(found, len(z)) | document.document(
            compared, z, advice.advice(compared, levers=levers, asked=plan),
            lambda centres: names_of(centres.tolist(), columns, ()),
        )  # fmt: skip
        tell(DRAWING, 0, None)
        title = f"{settings.name}: ways to find groups"
        folder.write(CONFIG, content)
        folder.write("report.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
        folder.write("report.html", report.report(title, _sentences(config, told), compared, z, told))
        folder.write("labels.csv", document.labels_csv(found.table.customers, found.table.within, compared))
        folder.write(TIMINGS, orjson.dumps(document.timings(compared), option=orjson.OPT_INDENT_2))
        written = folder.written()
    return told | {"timings": document.timings(compared), "out": written}


def _seed(config: Config) -> int:
    return config.definition.learning.seed


def _about(found: Study, near: int) -> dict[str, Any]:
    table = found.table
    return {
        "at": _iso(table.at),
        "customers": len(table.customers),
        "left_out": len(table.customers) - near,
        "columns": table.names,
        "scale": {"mean": table.scaler.mean.tolist(), "deviation": table.scaler.scale.tolist()},
    }


def _sentences(config: Config, told: dict[str, Any]) -> Sequence[str]:
    columns = told["columns"]
    who = f"{told['customers']:,} customers as of {told['at'][:10]}, by {len(columns)} columns: {', '.join(columns)}."
    said = [f"{who} k = {told['k']}, seed {told['seed']}."]
    if config.question:
        said.insert(0, f"The question: {config.question}")
    if told["left_out"]:
        said.append(
            f"{told['left_out']:,} customers out of reach of all others (more than 20 standard deviations) shape no "
            "segment and are left out; their labels are empty."
        )
    return said


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
