"""A live run that begins with the folder of `choose` labels the same events as the report does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from stream_seg.bootstrap.choosing import Choice, run_choose
from stream_seg.bootstrap.feeding import feed_live
from stream_seg.config import load
from tests.live.conftest import StackMaker
from tests.live.oracle import check, compacted
from tests.live.workload import WEEKS, weeks

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_labels_of_a_live_run_equal_those_of_the_report(stack_of: StackMaker, tmp_path: Path) -> None:
    given, events = tmp_path / "shop.yaml", tmp_path / "events.ndjson"
    given.write_text(f"name: shop\n{WEEKS}")
    events.write_bytes(b"\n".join(value for part in weeks(5) for value in part.values) + b"\n")
    out = tmp_path / "chosen"
    run_choose(load(given, {}), [str(events)], out, Choice(None, None, 3, 4), lambda *_: None)

    text = (out / "segmentation.yaml").read_text().removeprefix("name: shop\n")
    stack = stack_of(text.replace("initial_model: model.json", f"initial_model: {out / 'model.json'}"))
    stack.activate()
    stack.start("label")
    stack.start("learn")
    count = asyncio.run(feed_live(stack.config, weeks(5), lambda *_: None, lambda: None))
    stack.settle("label", "learn", "label")
    assert count > 1_000
    published = check(stack)  # and the log's own replay says the same

    said = [orjson.loads(line) for line in (out / "labels.ndjson").read_bytes().splitlines()]
    live = {key: segment for key, (_, _, segment) in compacted(stack.read("customer-segments")).items()}
    assert {one["customer_id"].encode(): one["segment"] for one in said} == live
    assert {move["model_version"] for move in published["segment-changes"].values()} == {1}
