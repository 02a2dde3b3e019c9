"""A replay is a function of its input: not of batches, partitions, file forms or the order of lines."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream_seg.bootstrap.offline import run_replay
from stream_seg.config import load
from stream_seg.errors import Stop
from tests.queries.shop import FEATURES, REST, Shop, definition, events

GIVEN = events()
MAPPING = """
input:
  clock: event
  mapping: {customer: who, time: at, event: "=Order", properties: {paid: paid}}
"""


def config_for(folder: Path, rest: str = REST) -> Path:
    file = folder / "segmentation.yaml"
    file.write_text(f"name: shop\n{FEATURES}{rest}")
    return file


def ndjson(folder: Path, lines: Sequence[bytes], name: str = "events.ndjson") -> str:
    file = folder / name
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(file)


def replayed(folder: Path, inputs: Sequence[str], out: str = "out", **how: Any) -> dict[str, Any]:
    config = load(config_for(folder, how.pop("rest", REST)), {})
    asked = {"form": None, "start": None, "end": None, "tell": lambda *_: None} | how
    return run_replay(config, inputs, folder / out, **asked)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_two_replays_write_the_same_bytes(tmp_path: Path) -> None:
    given = ndjson(tmp_path, [*GIVEN.values[:50], b"{", *GIVEN.values[50:]])
    first = replayed(tmp_path, [given], "a")
    second = replayed(tmp_path, [given], "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert set(files(tmp_path / "a")) == {
        "dead-letters.ndjson", "definitions.ndjson", "labels.ndjson", "late-events.ndjson", "models/1.json",
        "models/2.json", "models/3.json", "movements.ndjson", "summary.json",
    }  # fmt: skip
    assert first["movements"] == len(lines(tmp_path / "a/movements.ndjson")) > 100
    customers = [body["customer_id"] for body in lines(tmp_path / "a/labels.ndjson")]
    assert first["customers"] == len(customers) == 60
    assert customers == sorted(customers)
    bare = {name: value for name, value in first.items() if name not in {"seconds", "out"}}
    assert json.loads((tmp_path / "a/summary.json").read_bytes()) == bare
    assert {name: second[name] for name in bare} == bare
    assert {str(Path(path).relative_to(tmp_path / "a")) for path in first["out"]} == set(files(tmp_path / "a"))


def without_incarnation(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"id", "incarnation", "decided_at"}}


def test_how_far_it_is_is_told_out_of_how_much_as_soon_as_that_is_known(tmp_path: Path) -> None:
    given = ndjson(tmp_path, [*GIVEN.values[:50], b"{", *GIVEN.values[50:]])
    told: list[tuple[str, int, int | None]] = []
    replayed(tmp_path, [given], tell=lambda *one: told.append(one))
    phases = {what: [(done, total) for phase, done, total in told if phase == what] for what, *_ in told}
    assert phases["reading"][-1] == (len(GIVEN.values) + 1, None)
    assert {total for _, total in phases["replaying"]} == {len(GIVEN.values)}
    assert len(phases["replaying"]) > 10
    assert phases["replaying"][-1][0] == len(GIVEN.values)


@pytest.mark.parametrize(("partitions", "batch"), [(1, 7), (3, 4_000), (3, 1)])
def test_neither_partitions_nor_batches_change_a_label_or_a_movement(
    tmp_path: Path, partitions: int, batch: int
) -> None:
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)])
    other = Shop(definition(tmp_path), GIVEN, partitions, batch)
    labels = {body["customer_id"]: without_incarnation(body) for body in lines(tmp_path / "out/labels.ndjson")}
    assert {customer: without_incarnation(label) for customer, label in other.labels.items()} == labels

    def order(body: dict[str, Any]) -> tuple[str, str, int]:
        return body["event_time"], body["customer_id"], body["sequence"]

    movements = [without_incarnation(body) for body in lines(tmp_path / "out/movements.ndjson")]
    assert sorted(map(without_incarnation, other.movements), key=order) == movements
    assert list(other.models.values()) == [
        json.loads(path.read_bytes()) for path in sorted((tmp_path / "out/models").iterdir())
    ]


def test_the_order_of_lines_and_of_files_changes_nothing(tmp_path: Path) -> None:
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)], "sorted")
    mixed = list(GIVEN.values)
    random.Random(3).shuffle(mixed)
    parts = [ndjson(tmp_path, mixed[:300], "a.ndjson"), ndjson(tmp_path, mixed[300:], "b.jsonl")]
    replayed(tmp_path, parts, "mixed")
    assert files(tmp_path / "mixed") == files(tmp_path / "sorted")


def test_csv_parquet_own_json_and_segment_events_come_to_the_same(tmp_path: Path) -> None:
    rows = [
        {"who": body["userId"], "at": body["timestamp"], "paid": body["properties"]["paid"]}
        for body in map(orjson.loads, GIVEN.values)
    ]
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["at", "who", "paid"])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "zipped.csv.gz").write_bytes(gzip.compress((tmp_path / "rows.csv").read_bytes()))
    (tmp_path / "rows.txt").write_bytes((tmp_path / "rows.csv").read_bytes())
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    own = ndjson(tmp_path, [orjson.dumps(row) for row in rows], "own.ndjson")
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)], "segment")
    rest = MAPPING + REST.replace("input: {clock: event}\n", "")
    expected = files(tmp_path / "segment")
    assert b'"c0"' in expected["labels.ndjson"]
    for name in ("rows.csv", "zipped.csv.gz", "rows.parquet", own):
        replayed(tmp_path, [str(tmp_path / name)], "other", rest=rest)
        assert files(tmp_path / "other") == expected, name
    replayed(tmp_path, [str(tmp_path / "rows.txt")], "other", rest=rest, form="csv")
    assert files(tmp_path / "other") == expected


def test_the_clock_that_the_definition_has_when_live_changes_no_replay(tmp_path: Path) -> None:
    given = ndjson(tmp_path, GIVEN.values)
    replayed(tmp_path, [given], "event")
    replayed(tmp_path, [given], "append", rest=REST.replace("input: {clock: event}\n", ""))
    assert files(tmp_path / "append") == files(tmp_path / "event")


def test_only_events_from_the_start_to_before_the_end_count(tmp_path: Path) -> None:
    start, end = GIVEN.at[100], GIVEN.at[500]
    assert GIVEN.at[99] < start
    assert GIVEN.at[499] < end
    done = replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)], "cut", start=start, end=end)
    assert done["accepted"] == done["events"] == 400
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values[100:500], "part.ndjson")], "part")
    assert files(tmp_path / "cut") == files(tmp_path / "part")


def test_movements_stand_in_order_of_time_and_are_decided_when_they_happen(tmp_path: Path) -> None:
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)])
    moved = lines(tmp_path / "out/movements.ndjson")
    assert moved == sorted(moved, key=lambda body: body["event_time"])
    assert {body["decided_at"] == body["event_time"] for body in moved} == {True}
    assert {body["origin"] for body in moved} == {"replay"}
    last = {body["customer_id"]: body["segment"] for body in moved}
    assert {body["customer_id"]: body["segment"] for body in lines(tmp_path / "out/labels.ndjson")} == last


def test_what_is_no_event_is_kept_with_its_place_and_what_to_do(tmp_path: Path) -> None:
    broken = b'{"type":"track","event":"x","userId":"' + b"\xff" + b'"}'
    nobody = b'{"type":"track","event":"x","timestamp":"2023-11-15T10:00:00Z"}'
    given = [GIVEN.values[0], broken, GIVEN.values[1], nobody, *GIVEN.values[2:]]
    done = replayed(tmp_path, [ndjson(tmp_path, given)])
    assert (done["events"], done["accepted"], done["dead_letters"]) == (len(given), len(GIVEN.values), 2)
    first, second = sorted(lines(tmp_path / "out/dead-letters.ndjson"), key=lambda body: body["place"])
    assert first["place"] == f"{tmp_path / 'events.ndjson'}:2"
    assert first["code"] == "invalid_utf8"
    assert first["value_base64"] is not None
    assert second["place"] == f"{tmp_path / 'events.ndjson'}:4"
    assert (second["code"], second["path"], second["value"]) == ("missing_id", "$.userId", nobody.decode())
    assert "set userId" in second["remedy"]


def test_an_event_that_only_the_definition_refuses_is_found_by_its_line_too(tmp_path: Path) -> None:
    refused = GIVEN.values[700].replace(b'"paid":', b'"paid":"much","was":')
    given = [b"{", *GIVEN.values[:700], refused, *GIVEN.values[700:]]
    done = replayed(tmp_path, [ndjson(tmp_path, given)])
    assert (done["events"], done["accepted"], done["dead_letters"]) == (len(given), len(GIVEN.values), 2)
    _, second = lines(tmp_path / "out/dead-letters.ndjson")
    assert (second["place"], second["path"]) == (f"{tmp_path / 'events.ndjson'}:702", "$.properties.paid")
    assert second["key"] == json.loads(refused)["userId"]


def test_a_replay_that_fails_leaves_the_results_before_it_as_they_were(tmp_path: Path) -> None:
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)])
    before = files(tmp_path / "out")
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(gzip.compress(b"\n".join(GIVEN.values))[:-500])
    with pytest.raises(Stop, match="gzip stream is broken"):
        replayed(tmp_path, [str(cut)])
    assert files(tmp_path / "out") == before


def test_a_later_replay_replaces_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)])
    assert (tmp_path / "out/models/3.json").exists()
    replayed(tmp_path, [ndjson(tmp_path, GIVEN.values[:300], "less.ndjson")])
    assert not (tmp_path / "out/models/3.json").exists()
    assert (tmp_path / "out/models/1.json").exists()


def test_an_input_without_events_is_no_failure(tmp_path: Path) -> None:
    done = replayed(tmp_path, [ndjson(tmp_path, [])])
    assert (done["events"], done["customers"], done["segments"]) == (0, 0, [])
    assert (tmp_path / "out/movements.ndjson").read_bytes() == b""


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Stop, match="cannot be written"):
        replayed(tmp_path, [ndjson(tmp_path, GIVEN.values)])
