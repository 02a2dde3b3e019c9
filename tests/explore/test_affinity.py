"""Projections fitted on the customer table: what is fitted is what is served, the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import orjson
import pytest

from stream_seg.bootstrap.exploring import study
from stream_seg.cli import call
from stream_seg.config import load
from stream_seg.core.model import Float64
from stream_seg.errors import Stop
from stream_seg.explore.affinity import RARE, fit

PARTS = ("wine", "cheese", "beer", "crisps")
START = 1_700_006_400_000
FILE = """name: shop
input: {mapping: {customer: who, time: at, time_format: epoch_ms, event: what}}
features:
""" + "".join(
    f'  - {{name: buys_{one}, aggregate: count, where: event == "{one}", window: 30d, tiles: 30, role: outcome}}\n'
    for one in PARTS
)  # fmt: skip
SILENCE = "  - {name: silence, aggregate: recency}\n"


def amounts(customers: int = 60) -> Float64:
    """Two crowds: wine goes with cheese, beer with crisps."""
    random = np.random.default_rng(5)
    taste = random.random(customers)[:, None]
    wine, beer = np.array([4.0, 6.0, 1.0, 1.0]), np.array([1.0, 1.0, 7.0, 3.0])
    found: Float64 = random.poisson(taste * wine + (1 - taste) * beer).astype(np.float64)
    return found


def shop(folder: Path, extra: str = SILENCE, customers: int = 60) -> tuple[str, str]:
    rows = amounts(customers).tolist()
    events = [
        {"who": f"c{c:02}", "at": START + (n + 1) * 60_000, "what": part}
        for c, row in enumerate(rows)
        for part, count in zip(PARTS, row, strict=True)
        for n in range(int(count))
    ]
    given, config = folder / "events.ndjson", folder / "segmentation.yaml"
    given.write_bytes(b"\n".join(map(orjson.dumps, sorted(events, key=lambda one: (one["at"], one["who"])))))
    config.write_text(FILE + extra)
    return str(given), str(config)


def test_weights_are_those_of_a_correspondence_analysis_in_which_each_customer_counts_the_same() -> None:
    saffron = np.arange(200) % 16 == 0  # rarer than what is weighed by its own mean
    given = np.hstack([amounts(200), saffron[:, None]])
    found = fit(given, (*PARTS, "saffron"), 2)
    shares = given / given.sum(axis=1, keepdims=True)
    unit = np.sqrt(np.maximum(shares.mean(axis=0), RARE))
    assert shares[:, -1].mean() < RARE
    _, sizes, directions = np.linalg.svd((shares - shares.mean(axis=0)) / unit, full_matrices=False)
    for n, one in enumerate(found.projections):
        value = shares @ np.array(one.weights)
        assert value.mean() == pytest.approx(0.0, abs=1e-3)
        assert value.std() == pytest.approx(1.0, abs=1e-3)
        coordinate = shares @ (directions[n] / unit)
        assert abs(np.corrcoef(value, coordinate)[0, 1]) == pytest.approx(1.0, abs=1e-6)
        assert one.explained == pytest.approx(sizes[n] ** 2 / (sizes**2).sum())
        assert max(one.weights, key=abs) > 0
    assert found.projections[0].explained > 0.4
    assert {found.projections[0].high, found.projections[0].low} == {"buy more beer", "buy more cheese and wine"}


def test_what_it_prints_is_pasted_and_the_live_features_say_what_was_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, config = shop(tmp_path)
    asked = ["affinity", given, "--config", config, "--of", "buys_", "--components", "2"]
    assert call(asked) == 0
    printed = capsys.readouterr().out
    assert call(asked) == 0
    assert capsys.readouterr().out == printed
    assert call([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["yaml"] == printed
    assert (found["customers"], found["as_of"]) == (60, "2023-11-16")
    assert f"version {found['version']}" in printed
    (tmp_path / "segmentation.yaml").write_text(FILE + printed + SILENCE)
    table = study(load(Path(config), {}), [given], form=None, end=None, tell=lambda *_: None).table
    shares = np.stack([table.values(f"buys_{part}") for part in PARTS], axis=1)
    shares /= shares.sum(axis=1, keepdims=True)
    for one in found["projections"]:
        assert table.values(one["name"]) == pytest.approx(shares @ np.array(one["weights"]))
    assert table.names == ["affinity_1", "affinity_2", "silence"]
    capsys.readouterr()
    assert call([*asked, "--at", "2023-11-15"]) == 1
    assert "no usable event before 2023-11-15" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "asked", "line"),
    [
        (SILENCE, ["--of", "bys_"], "--of: no feature begins with `bys_`, two are needed; there are buys_wine"),
        (SILENCE, ["--of", "silence"], "--of: only `silence` begins with `silence`"),
        (SILENCE, ["--of", "buys_", "--components", "4"], "--components: 4 features have 3 directions at most"),
        (SILENCE.replace("silence", "buys_late"), ["--of", "buys_"], "--of: buys_late are no amounts"),
    ],
)
def test_what_cannot_be_fitted_is_said_before_anything_is_read(
    extra: str, asked: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, config = shop(tmp_path, extra)
    assert call(["affinity", given, "--config", config, *asked]) == 2
    assert line in capsys.readouterr().err


def test_an_input_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, config = shop(tmp_path)
    assert call(["affinity", str(tmp_path / "none.csv"), "--config", config, "--of", "buys_"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_too_few_customers_and_customers_who_are_all_alike_give_no_weights() -> None:
    with pytest.raises(Stop, match="39 customers have anything in the 4 features, 40 are needed"):
        fit(np.vstack([amounts(39), np.zeros((5, 4))]), PARTS, 2)
    with pytest.raises(Stop, match="all customers have the same shares"):
        fit(np.tile([1.0, 2.0, 3.0, 4.0], (80, 1)), PARTS, 2)
