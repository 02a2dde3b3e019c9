"""``stream-seg choose``: how many segments, by what was called good; and the files with which a run begins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson

from stream_seg.adapters.files import Form
from stream_seg.bootstrap.exploring import Study, study
from stream_seg.bootstrap.offline import run_replay
from stream_seg.config import Config, load
from stream_seg.core.definition import feature_set_version
from stream_seg.core.model import Float64
from stream_seg.errors import Stop
from stream_seg.explore.beginning import FEWEST, MODEL, SEGMENTATION, model_json, segmentation
from stream_seg.explore.choose.measuring import Measures, measure
from stream_seg.explore.choose.page import choice_page
from stream_seg.explore.choose.ranking import Ranked, elbow, rank, verdict
from stream_seg.explore.run import CONFIG, RunFolder, configured, manifest, of_the_file_alone, recorded
from stream_seg.progress import Tell

COMMAND = "choose"
LABELS, PAGE, FIGURES = "labels.ndjson", "report.html", "report.json"


class Choice(msgspec.Struct, frozen=True):
    """What was asked: the file formats, the instant to look at (ms), the number of segments, or up to how many."""

    form: Form | None
    end: int | None
    k: int | None
    most: int


def run_choose(config: Config, inputs: Sequence[str], out: Path, choice: Choice, tell: Tell) -> dict[str, Any]:
    """Measures every number of segments on stored events and writes the folder `out`; returns the figures."""
    of_the_file_alone(config)
    given = config.path.read_text(encoding="utf-8")
    made = manifest(COMMAND, inputs, msgspec.to_builtins(choice), config.definition.learning.seed)
    config = replace(config, definition=msgspec.structs.replace(config.definition, levers=()))
    with RunFolder(out, made) as folder:
        folder.write(CONFIG, given)
        found = study(config, inputs, form=choice.form, end=choice.end, tell=tell)
        ks = _numbers(found.table.near, choice)
        definition = config.definition
        measures = measure(
            found.table, found.days, _full(found, config), ks, definition.learning, config.good.must_separate,
            every=definition.learn_every, margin=definition.margin, version=feature_set_version(definition), tell=tell,
        )  # fmt: skip
        ranking = rank(measures, config.good)
        chosen = next((one for one in ranking if one.measured.k == choice.k), ranking[0])
        findings = _findings(config, measures, chosen)
        best = chosen.measured
        if not definition.tiers:
            folder.write(MODEL, model_json(found.table, best.centers, best.names, definition))
        folder.write(SEGMENTATION, segmentation(given, k=best.k, names=best.names))
        with _replayed(folder.part / SEGMENTATION, inputs, choice, tell) as (summary, labels):
            folder.write(LABELS, labels)
        figures = _figures(config, found, measures, ranking, chosen, findings, summary)
        folder.write(FIGURES, orjson.dumps(figures, option=orjson.OPT_INDENT_2))
        folder.write(
            PAGE,
            choice_page(
                definition.name,
                config.question,
                config.good,
                found.table,
                measures,
                ranking,
                chosen,
                findings,
                summary,
                warm=not definition.tiers,
            ),
        )
        written = folder.written()
    return {**figures, "out": written}


def run_again(folder: Path, out: Path, tell: Tell) -> dict[str, Any]:
    """The same as a run that was made, from what its folder says; raises `Stop` where an input is another one now."""
    made, choice = recorded(folder, COMMAND, Choice)
    return run_choose(configured(folder / CONFIG), [one.path for one in made.inputs], out, choice, tell)


def _numbers(near: Float64, choice: Choice) -> list[int]:
    """Which numbers of segments are looked at: from two on, fewer than there are different customers."""
    different = len(np.unique(near, axis=0))
    most = min(max(choice.most, choice.k or 0), different - 1)
    if most < FEWEST:
        raise Stop(
            f"{different} different customers are too few for segments: three are the least. Do the features' "
            "conditions match any events? `stream-seg audit` tells what the input holds"
        )
    if choice.k is not None and choice.k > most:
        raise Stop(f"{choice.k} segments need more than {different} different customers; ask for fewer")
    return list(range(FEWEST, most + 1))


def _full(found: Study, config: Config) -> list[Any]:
    """The months at whose ends every window was full: before that, all customers change alike."""
    windows = max((feature.window or 0 for feature in config.definition.features), default=0)
    return [month for month in found.months if month.through >= found.counts.first + windows]


def _findings(config: Config, measures: Measures, chosen: Ranked) -> list[str]:
    """What a person ought to know before the segments are used."""
    found = [verdict(measures)]
    if chosen.misses:
        found.append(f"The chosen segments miss what was called good: {'; '.join(chosen.misses)}.")
    deciding = [feature for feature in config.definition.features if feature.role == "feature"]
    bases = sorted({config.bases.get(feature.name, "behavioural") for feature in deciding})
    if len(bases) > 1 and config.question is None:
        found.append(
            f"The distance mixes {' and '.join(bases)} features, and nobody said what the segments are for. Such "
            "segments answer no question well: write one under `question`, or keep to one basis and report the "
            "others as outcomes."
        )
    if config.definition.tiers:
        found.append(
            "Tiers are left out: everybody was looked at together. A model cannot be given to a tier: a run with "
            "the written file begins without one, and learns each tier's segments itself."
        )
    return [text for text in found if text]


@contextmanager
def _replayed(file: Path, inputs: Sequence[str], choice: Choice, tell: Tell) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What a run with the written files says of the same events: its summary, and the last label of each customer."""
    with tempfile.TemporaryDirectory(dir=file.parent.parent, prefix=f".{file.parent.name}.") as place:
        summary = run_replay(
            load(file, {}), inputs, Path(place), form=choice.form, start=None, end=choice.end, tell=tell
        )
        for clocked in ("seconds", "out"):
            del summary[clocked]
        yield summary, (Path(place) / LABELS).read_bytes()


def _figures(
    config: Config,
    found: Study,
    measures: Measures,
    ranking: Sequence[Ranked],
    chosen: Ranked,
    findings: Sequence[str],
    summary: dict[str, Any],
) -> dict[str, Any]:
    each = measures.each
    return {
        "customers": len(found.table.customers),
        "at": found.table.at,
        "events": found.counts._asdict(),
        "question": config.question,
        "chosen": chosen.measured.k,
        "names": list(chosen.measured.names),
        "findings": list(findings),
        "gap_best": measures.gap.best,
        "elbow": elbow([one.k for one in each], [one.inertia for one in each]),
        "gap": measures.gap._asdict(),
        "ranking": [_told(one) for one in ranking],
        "run": summary,
    }


def _told(one: Ranked) -> dict[str, Any]:
    m = one.measured
    return {
        "k": m.k,
        "because": one.because,
        "misses": list(one.misses),
        "mean_place": one.mean_place,
        "places": one.places,
        "inertia": m.inertia,
        "shares": m.shares,
        "names": m.names,
        "named_by_words": m.distinct,
        "silhouette": m.silhouette,
        "silhouettes": m.silhouettes,
        "other_draws": m.stability.agreement,
        "jaccard": m.stability.jaccard,
        "months": m.months,
        "separation": m.separation,
        "moves_30d": m.moves,
        "flips_per_1000": m.flips.rate if m.flips else None,
        "flips_weekly": m.flips.weeks if m.flips else None,
    }
