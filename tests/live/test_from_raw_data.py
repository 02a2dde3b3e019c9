"""docs/from-raw-data.md, step by step: two CSV files become a live run that says what the report says."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest

from stream_seg.cli import call
from stream_seg.config import load
from tests.docs.pages import ROOT, text_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.stack import Stack

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PAGE = ROOT / "docs/from-raw-data.md"
OFFLINE = {"audit", "config", "explore", "choose", "compare"}
START, DAYS = datetime(2025, 1, 1, tzinfo=UTC), 200
ORDERS = ("customer_id", "happened_at", "action", "reference", "amount", "category", "discount", "channel")
CUSTOMERS = ("customer_id", "signed_up", "country", "age", "newsletter")


def shop(folder: Path, customers: int = 150) -> None:
    """Regulars, discount hunters, and people who come by; some leave for good."""
    draw = np.random.default_rng(11)
    orders: list[tuple[datetime, list[object]]] = []
    people = list[list[object]]()
    for number in range(customers):
        who = f"C{10001 + number}"
        every, basket, cheap = ((15, 40, 0.05), (25, 25, 0.8), (70, 30, 0.2))[number % 3]
        signed = START + timedelta(days=int(draw.integers(-40, 100)))
        leaves = DAYS if draw.random() < 0.75 else int(draw.integers(20, DAYS))
        age = int(draw.integers(19, 80)) if draw.random() < 0.8 else ""
        people.append([who, signed.date(), draw.choice(["AT", "CH", "DE", "NL"]), age, draw.choice(["yes", "no"])])
        at = max(0.0, (signed - START).days + 1.0) + draw.exponential(every)
        while at < leaves:
            when = START + timedelta(seconds=int(at * 86_400))
            channel, category = draw.choice(["app", "web"]), draw.choice(["Beans", "Capsules", "Filter"])
            orders.append((when - timedelta(minutes=3), [who, "visit", "", "", category, "", channel]))
            amount = round(float(draw.gamma(8, basket / 8)), 2)
            discount = round(amount * 0.15, 2) if draw.random() < cheap else 0
            orders.append((when, [who, "order", f"O{len(orders)}", amount, category, discount, channel]))
            at += draw.exponential(every)
    rows = [[row[0], f"{at:%Y-%m-%d %H:%M:%S}", *row[1:]] for at, row in sorted(orders, key=lambda one: one[0])]
    for name, head, lines in (("orders", ORDERS, rows), ("customers", CUSTOMERS, people)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([head, *lines])


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(PAGE), re.MULTILINE | re.DOTALL)


def script(folder: Path, text: str) -> bytes:
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, check=True)
    return done.stdout


def offline() -> Iterator[list[str]]:
    """The commands of the page that need no servers, in its order."""
    yield from (shlex.split(line)[1:] for line in re.findall(r"^    (stream-seg .*)$", text_of(PAGE), re.MULTILINE))


@pytest.fixture
def went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of somebody who has followed the page up to `run`."""
    shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    (customers,) = blocks("python")
    script(tmp_path, customers)
    (features,) = blocks("yaml")
    for words in offline():
        if words[0] in OFFLINE:
            assert call(words) in {0, 3}, words
        if words[0] == "audit":
            with Path("segmentation.yaml").open("a") as file:
                file.write(features)
    return tmp_path


def test_the_way_from_two_files_to_a_live_run(went: Path, stack_of: StackMaker) -> None:
    out = went / "chosen"
    found = load(out / "segmentation.yaml", {})
    assert found.initial is not None
    assert found.initial.columns == ("silence", "orders_90d", "spend_90d", "discount_share")
    assert found.question == "Who needs a reason to come back, and who buys only what is cheap?"
    assert call(["choose", "--from", "chosen", "--out", "again"]) in {0, 3}
    for path in out.iterdir():
        assert (went / "again" / path.name).read_bytes() == path.read_bytes(), path.name

    text = (out / "segmentation.yaml").read_text().replace("name: coffee\n", "")
    text = text.replace("input:\n", "input:\n  clock: event\n").replace("model.json", str(out / "model.json"))
    stack = stack_of(text)
    stack.activate()
    stack.start("label")
    stack.start("learn")
    told = stack.told("feed", "orders.csv", "customers.ndjson", "--config", str(stack.file))
    stack.settle("label", "learn", "label")
    published = check(stack)
    assert published["dead-letters"] == published["late-events"] == {}
    rows = [len(Path(name).read_text().splitlines()) for name in ("orders.csv", "customers.ndjson")]
    assert told["events"] == sum(rows) - 1

    said = [orjson.loads(line) for line in (out / "labels.ndjson").read_bytes().splitlines()]
    assert 100 < len(said) < 150  # who was silent for so long that nobody remembers
    assert {one["customer_id"].encode(): one["segment"] for one in said} == labels(stack)
    again = stack.command("feed", "orders.csv", "--config", str(stack.file))
    assert again.process.wait(120) == 1
    assert again.says("holds events already; the past is played once")

    now = stack.write(text.replace("clock: event", "clock: append"), "now.yaml")
    assert stack.command("feed", "orders.csv", "--config", str(now)).process.wait(120) == 2
    stack.told("apply", str(now), "--why", "the past is in")
    today = datetime.now(UTC)
    order = {"customer_id": "C10001", "happened_at": f"{today:%Y-%m-%d %H:%M:%S}", "action": "order", "amount": 25.0}
    stack.produce([(b"C10001", orjson.dumps(order))])
    asked = ("customer", "C10001", "--config", str(stack.file))
    stack.until(lambda: stack.told(*asked)["last_event"] >= f"{today:%Y-%m-%d}", "she has ordered today")


def labels(stack: Stack) -> dict[bytes, str]:
    """The topic of labels as a reader keeps it: a tombstone takes one away."""
    found = dict[bytes, str]()
    for record in stack.read("customer-segments"):
        found.pop(record.key, None)
        if record.value is not None:
            found[record.key] = orjson.loads(record.value)["segment"]
    return found
