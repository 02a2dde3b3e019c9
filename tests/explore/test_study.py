"""The customer table is what the live feature code says, at the instant that was asked for."""

from pathlib import Path

import orjson
import pytest

from stream_seg.bootstrap.exploring import study
from stream_seg.config import load
from stream_seg.core.definition import DAY
from stream_seg.errors import Stop

FILE = """
name: shop
features:
  - {name: orders, aggregate: count, window: 30d, tiles: 30}
  - {name: silence, aggregate: recency}
"""
START = 1_700_006_400_000  # midnight of a day (UTC)


def lines(tmp_path: Path, days: dict[str, list[int]]) -> str:
    path = tmp_path / "events.ndjson"
    events = sorted((START + day * DAY + 3_600_000, who) for who, of in days.items() for day in of)
    path.write_bytes(
        b"\n".join(
            orjson.dumps({"customer": who, "time": at, "event": "order", "n": i}) for i, (at, who) in enumerate(events)
        )
    )
    return str(path)


def config(tmp_path: Path) -> Path:
    path = tmp_path / "segmentation.yaml"
    path.write_text(FILE + "input: {mapping: {customer: customer, time: time, time_format: epoch_ms, event: event}}\n")
    return path


def test_the_table_at_the_end_and_the_days_before_it(tmp_path: Path) -> None:
    given = lines(tmp_path, {"ann": [0, 1, 100], "bob": [30], "cid": [1], "eve": list(range(140))})
    found = study(load(config(tmp_path), {}), [given], form=None, end=None, tell=lambda *_: None)
    assert found.table.at == START + 140 * DAY
    assert found.table.customers == ("ann", "bob", "eve")  # cid was forgotten: more than 120 days of silence
    orders = found.table.values("orders").tolist()
    assert orders[:2] == [0.0, 0.0]
    assert orders[2] in (29.0, 30.0)  # the far edge is exact to one tile
    assert found.table.values("silence")[1] == pytest.approx((110 * DAY - 3_600_000) / 1000, rel=0.07)  # the grid
    assert len(found.days) == 1 + 120
    assert len(found.days[-1].hashes) == 2  # bob was silent for more than 90 days
    assert [day.through for day in found.months] == [START + n * DAY for n in (20, 50, 80, 110, 140)]


def test_at_a_date_nothing_later_is_known(tmp_path: Path) -> None:
    given = lines(tmp_path, {"ann": [0, 1, 100], "eve": list(range(140))})
    end = START + 50 * DAY
    found = study(load(config(tmp_path), {}), [given], form=None, end=end, tell=lambda *_: None)
    assert found.table.at == end
    assert found.counts.accepted == 2 + 50
    assert found.table.values("silence")[0] == pytest.approx((49 * DAY - 3_600_000) / 1000, rel=0.07)


def test_nothing_before_the_date_is_told(tmp_path: Path) -> None:
    given = lines(tmp_path, {"ann": [10]})
    with pytest.raises(Stop, match="no usable event before 2023-11-15 00:00:00 UTC; the first is of 2023-11-25 01:00"):
        study(load(config(tmp_path), {}), [given], form=None, end=START, tell=lambda *_: None)


def test_a_file_that_is_written_while_it_is_read_is_refused(tmp_path: Path) -> None:
    given = lines(tmp_path, {"ann": [0, 1], "bob": [30]})

    def grows(phase: str, *_: object) -> None:
        if phase == "reading":
            with Path(given).open("ab") as file:
                file.write(b"\n")

    with pytest.raises(Stop, match=r"events\.ndjson: it was written while it was read"):
        study(load(config(tmp_path), {}), [given], form=None, end=None, tell=grows)


def test_long_after_the_last_event_who_would_be_forgotten_is_gone(tmp_path: Path) -> None:
    given, settings = lines(tmp_path, {"ann": [0], "bob": [50]}), load(config(tmp_path), {})
    found = study(settings, [given], form=None, end=START + 130 * DAY, tell=lambda *_: None)
    assert found.table.customers == ("bob",)
    with pytest.raises(Stop, match=r"nobody is left at .* the last event is of .*, 120 days"):
        study(settings, [given], form=None, end=START + 300 * DAY, tell=lambda *_: None)
