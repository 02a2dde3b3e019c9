"""Customers of a new kind: LEARN says that they are there and what they are like, and leaves the segments alone."""

from __future__ import annotations

import msgspec
import pytest

from stream_seg.core.definition import Learning
from tests.pipeline.test_learning import GROUPS, LEARNING, Trainer, Vectors, grouped

CUSTOMERS, STRANGERS, BEFORE = 300, 30, 50
NOTHING_BETTER = msgspec.structs.replace(LEARNING, publish_gain=1e9)


def joined(by: int) -> Vectors:
    """Three groups; after a day a tenth of the customers order far more often than anybody, for little money."""
    usual = grouped()

    def vector(customer: int, day: int) -> list[float]:
        orders, spend = usual(customer, day)
        if day <= by or customer < CUSTOMERS - STRANGERS:
            return [orders, spend]
        own = GROUPS[customer % 3]
        return [orders - float(own[0]) + 60.0, spend - float(own[1]) + 15.0]

    return vector


@pytest.mark.parametrize("rules", [LEARNING, NOTHING_BETTER], ids=["versions come", "none comes"])
def test_a_new_kind_is_published_with_a_description_and_never_split_off_by_itself(rules: Learning) -> None:
    trainer = Trainer(rules)
    trainer.days(BEFORE, joined(BEFORE), CUSTOMERS)
    assert [told["metric"] for told in trainer.said("drift-metrics") if told["metric"] == "emergence"] == []
    trainer.changes()
    before = trainer.model
    trainer.days(10, joined(BEFORE), CUSTOMERS)
    first, *later = [told for told in trainer.said("drift-metrics") if told["metric"] == "emergence"]
    assert (first["subject"], first["severity"], first["new"]) == ({"kind": "tier", "name": "all"}, "warn", True)
    assert first["words"].endswith("of the customers fit no segment and are alike: high orders, low spend")
    assert STRANGERS * 0.8 < first["group"]["size"] <= STRANGERS
    orders = first["group"]["profile"]["orders"]
    assert orders["center"] == pytest.approx(60.0, abs=1.0)
    assert orders["population"] < 15.0
    assert orders["deviations"] > 3.0
    assert not any(told["new"] for told in later)
    assert trainer.model.alive == before.alive == (0, 1, 2)
    assert {kind for _, kind in trainer.changes()} <= {"updated"}
    if rules is NOTHING_BETTER:
        assert trainer.model == before
