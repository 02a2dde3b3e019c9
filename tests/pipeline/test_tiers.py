"""LABEL with tiers: who comes into another one, and what becomes of the label."""

from __future__ import annotations

import msgspec
import orjson

from stream_seg.core.activation import Activation, Own
from stream_seg.core.definition import DAY, HOUR, Definition, Tier, feature_set_version, tier_key
from stream_seg.core.model import ModelVersion
from stream_seg.core.record import ADOPTED, CANDIDATE, CANDIDATE_SINCE, TIER
from stream_seg.core.succession import succeed
from tests.core import drawing
from tests.core.drawing import START
from tests.pipeline.partition import Log, Partition, small
from tests.pipeline.test_activations import SHOP, moves, visit_after

GOLD = Tier(name="gold", where='traits.plan == "gold"')
RED = Tier(name="red", where='traits.plan == "red"')
TIERED = msgspec.structs.replace(SHOP, tiers=(GOLD, RED))
NUMBERS = {"all": 0, "gold": 5, "red": 9}  # a tier's segments have numbers from here on


def model(tier: str, version: int, *centers: float) -> ModelVersion:
    """Segments by number of visits."""
    first = NUMBERS[tier]
    return ModelVersion(
        version=version, tier=tier, feature_set_version=feature_set_version(SHOP), learner="none",
        columns=("visits",), centers=((),) * first + tuple((center,) for center in centers), mean=(0.0,),
        scale=(1.0,), clip_low=(None,), clip_high=(None,),
        segments=("",) * first + tuple(f"about {c}" for c in centers), samples=2, trained_at=0,
    ).sealed()  # fmt: skip


class Story:
    """A log and LABEL's work on it, record by record."""

    def __init__(self, *tiers: str, definition: Definition = TIERED, most: int | None = None) -> None:
        self.log = Log()
        self.partition = Partition(small(most)) if most else Partition()
        self.activation: Activation = drawing.activation(definition)
        for version, tier in enumerate(tiers, 1):
            self.activation = self.activation.having(tier, Own(model=model(tier, version, 1.0, 9.0)))
        self.partition.run([self.log.activate(self.activation, START)])

    def event(self, customer: str, t: int, **traits: str) -> None:
        values = {"event": "Paid", **{f"traits.{name}": value for name, value in traits.items()}}
        self.partition.run([self.log.event(customer, t, t, values)])

    def tick(self, t: int) -> None:
        self.partition.run([self.log.control("tick", None, t)])

    def learned(self, one: ModelVersion, t: int, **more: object) -> None:
        following = self.activation.having(one.tier, Own(model=one))
        self.put(msgspec.structs.replace(following, number=self.activation.number + 1, **more), t)

    def apply(self, definition: Definition, t: int) -> None:
        self.put(succeed(self.activation, definition, who="ann", at=t, why=""), t)

    def put(self, activation: Activation, t: int) -> None:
        self.activation = activation
        self.partition.run([self.log.activate(activation, t)])

    @property
    def moves(self) -> list[tuple[str, str | None, str | None, str]]:
        return moves(self.partition)

    def word(self, customer: str, at: int) -> int:
        return int(self.partition.row(customer.encode())[0, at])

    def labels(self, customer: str) -> list[tuple[str, str] | None]:
        """What a subscriber of ``customer-segments`` sees, one after the other: (tier, segment), None: a tombstone."""
        told = self.partition.snapshot().labels[customer]
        return [(one["tier"], one["segment"]) if one else None for one in told]

    def count(self, field: bytes) -> int:
        """A counter of the partition; one at 0 is not kept."""
        return self.partition.snapshot().counts.get(field, 0)


def test_who_comes_into_another_tier_moves_there_once_with_cause_tier_and_is_told_of_that_tier() -> None:
    story = Story("all", "gold")
    story.event("ann", START, plan="free")
    story.event("ann", START + 1, plan="gold")
    story.event("ann", START + 2, plan="gold")
    story.event("ann", START + 3)
    assert story.moves == [("ann", None, "0", "event"), ("ann", "0", "5", "tier")]
    (last,) = [orjson.loads(r.value or b"") for r in story.partition.output("segment-changes")][1:]
    assert (last["tier"], last["model_version"]) == ("gold", 2)
    assert story.labels("ann") == [("all", "0"), ("gold", "5")]
    story.event("ann", START + 4, plan="free")
    assert story.moves[2:] == [("ann", "5", "0", "tier")]


def test_the_first_label_of_somebody_new_is_by_what_happened_in_whichever_tier() -> None:
    story = Story("all", "gold")
    story.event("ann", START, plan="gold")
    assert story.moves == [("ann", None, "5", "event")]


def test_the_first_rule_that_holds_decides_and_one_that_cannot_be_read_leaves_everything_open() -> None:
    both = Tier(name="red", where='traits.plan == "gold" or traits.land == "se"')
    story = Story("all", "gold", "red", definition=msgspec.structs.replace(SHOP, tiers=(GOLD, both)))
    story.event("ann", START, plan="gold", land="no")
    assert story.word("ann", TIER) == tier_key("gold")
    story = Story("all", "gold", "red", definition=msgspec.structs.replace(SHOP, tiers=(both, GOLD)))
    story.event("ann", START, plan="gold", land="no")
    assert story.word("ann", TIER) == tier_key("red")
    story.event("ann", START + 1, plan="free")  # `both` asks for the land too
    assert story.word("ann", TIER) == tier_key("red")
    story.event("ann", START + 2, plan="free", land="no")
    assert story.word("ann", TIER) == 0


def test_an_older_event_that_comes_late_does_not_bring_an_older_tier_back() -> None:
    story = Story("all", "gold")
    story.event("ann", START + HOUR, plan="gold")
    story.partition.run([story.log.event("ann", START, START + HOUR, {"event": "Paid", "traits.plan": "free"})])
    assert story.word("ann", TIER) == tier_key("gold")


def test_in_a_tier_without_a_model_a_customer_has_no_label_and_a_subscriber_gets_a_tombstone() -> None:
    story = Story("all")
    story.event("ann", START, plan="free")
    story.event("ann", START + 1, plan="gold")
    assert story.moves == [("ann", None, "0", "event"), ("ann", "0", None, "tier")]
    assert story.labels("ann") == [("all", "0"), None]
    story.tick(visit_after("ann", START))
    assert story.labels("ann") == [("all", "0"), None, None]  # again, as labels are: a zombie may have sent one late
    assert (story.count(b"s:0"), story.count(b"c:tier")) == (0, 1)
    story.learned(model("gold", 2, 2.0, 9.0), START + 2 * DAY)
    assert story.moves[2:] == [("ann", None, "5", "backfill")]
    assert story.labels("ann")[-2:] == [None, ("gold", "5")]


def test_who_never_had_a_label_gets_no_tombstone_however_the_log_is_cut() -> None:
    log, partition = Log(), Partition()
    log.activate(drawing.activation(TIERED).having("all", Own(model=model("all", 1, 1.0, 9.0))), START)
    later = visit_after("ann", START) + 1
    log.event("ann", START, START, {"event": "Paid", "traits.plan": "gold"})
    for plan in ("free", "gold"):
        log.event("ann", later, later, {"event": "Paid", "traits.plan": plan})
    partition.run(log.records)
    assert [label and label["segment"] for label in partition.snapshot().labels["ann"]] == ["0", None]


def test_the_first_model_of_a_tier_labels_who_waits_for_it_and_hurries_nobody_else() -> None:
    for most in (None, 2):
        story = Story("all", most=most)
        for name in ("ann", "bob", "cem"):
            story.event(name, START, plan="free")
        for name in ("dee", "eve", "fay"):
            story.event(name, START, plan="gold")
        story.learned(model("all", 2, 9.0, 1.0), START)  # they follow at their next visit
        story.learned(model("gold", 3, 1.0, 9.0), START)
        assert sorted(story.moves[3:]) == [(name, None, "5", "backfill") for name in ("dee", "eve", "fay")]
        assert [story.word(name, ADOPTED) for name in ("ann", "bob", "cem")] == [1, 1, 1]
        story.tick(START + DAY)
        assert sorted(story.moves[6:]) == [(name, "0", "1", "model") for name in ("ann", "bob", "cem")]


def test_a_version_that_a_person_wants_now_hurries_nobody_of_another_tier() -> None:
    story = Story("all", "gold")
    story.event("ann", START, plan="free")
    story.event("dee", START, plan="gold")
    story.learned(model("all", 3, 9.0, 1.0), START)
    story.learned(model("gold", 4, 9.0, 1.0), START, ramp="now")
    assert story.moves[2:] == [("dee", "5", "6", "model")]
    story.tick(START + DAY)
    assert story.moves[3:] == [("ann", "0", "1", "model")]


def test_another_tiers_version_does_not_begin_anybodys_wait_anew() -> None:
    """A dwell longer than the days between versions: with a version a day elsewhere nobody would ever move."""
    patient = msgspec.structs.replace(TIERED, dwell=3 * DAY)
    story = Story("all", "gold", definition=patient)
    story.event("ann", START, plan="free")
    for i in range(8):
        story.event("ann", START + 1 + i)
    since = story.word("ann", CANDIDATE_SINCE)
    assert (story.word("ann", CANDIDATE), START < since < START + 9) == (2, True)
    for day in (1, 2):
        story.learned(model("gold", 2 + day, 1.0, 9.0 + day), START + day * DAY)
        story.tick(START + day * DAY + DAY - 1)
    assert story.word("ann", ADOPTED) > 1
    assert story.word("ann", CANDIDATE_SINCE) == since
    story.tick(since + 3 * DAY)
    assert story.moves[1:] == [("ann", "0", "1", "time")]


def test_a_version_of_ones_own_tier_begins_the_wait_anew() -> None:
    story = Story("all", "gold", definition=msgspec.structs.replace(TIERED, dwell=3 * DAY))
    for i in range(9):
        story.event("ann", START + i, plan="free")
    assert story.word("ann", CANDIDATE) == 2
    story.learned(model("all", 3, 1.0, 8.0), START + DAY)
    story.tick(START + 2 * DAY)
    assert story.word("ann", CANDIDATE) == 2
    assert story.word("ann", CANDIDATE_SINCE) == visit_after("ann", START + 8)


def test_a_tier_that_is_added_takes_customers_one_by_one_as_their_events_say_so() -> None:
    """Also where its first model comes before the walk does: whoever is in the tier has adopted it."""
    story = Story("all", definition=SHOP)
    for name in ("ann", "bob"):
        story.event(name, START, plan="gold")
    story.apply(TIERED, START + 1)
    assert story.moves == [("ann", None, "0", "event"), ("bob", None, "0", "event")]
    story.event("ann", START + 2, plan="gold")
    story.learned(model("gold", 2, 1.0, 9.0), START + 3)
    assert story.moves[2:] == [("ann", "0", None, "tier"), ("ann", None, "5", "backfill")]
    story.tick(START + DAY)
    assert len(story.moves) == 4  # nobody knows about bob before an event of his says so
    story.event("bob", START + DAY + 1, plan="gold")
    assert story.moves[4:] == [("bob", "0", "5", "tier")]


def test_from_one_tier_into_one_that_is_new_nobody_passes_through_all() -> None:
    story = Story("all", "gold", definition=msgspec.structs.replace(SHOP, tiers=(GOLD,)))
    story.event("ann", START, plan="gold")
    story.apply(TIERED, START + 1)
    story.event("ann", START + 2, plan="red")
    assert story.moves == [("ann", None, "5", "event"), ("ann", "5", None, "tier")]


def test_a_tier_that_is_removed_gives_its_customers_back_at_their_next_visit_or_event() -> None:
    story = Story("all", "gold")
    for name in ("ann", "bob"):
        story.event(name, START, plan="gold")
    story.apply(msgspec.structs.replace(SHOP, tiers=(RED,)), START + 1)
    story.event("bob", START + 2, plan="gold")
    assert story.moves[2:] == [("bob", "5", "0", "tier")]
    story.tick(visit_after("ann", START) - 1)
    assert story.moves[3:] == []
    story.tick(visit_after("ann", START))
    assert story.moves[3:] == [("ann", "5", "0", "tier")]
    assert story.word("ann", TIER) == 0
    assert (story.count(b"s:5"), story.count(b"s:0")) == (0, 2)


def test_a_tier_that_is_removed_and_added_again_has_none_of_its_old_segments() -> None:
    story = Story("all", "gold")
    story.event("ann", START, plan="gold")
    story.apply(msgspec.structs.replace(SHOP, tiers=(RED,)), START + 1)
    story.apply(TIERED, START + 2)
    story.tick(visit_after("ann", START))
    assert story.moves[1:] == [("ann", "5", None, "tier")]


def test_rules_in_another_order_move_nobody_before_an_event_says_so() -> None:
    both = Tier(name="red", where='traits.plan == "gold"')
    story = Story("all", "gold", "red", definition=msgspec.structs.replace(SHOP, tiers=(GOLD, both)))
    story.event("ann", START, plan="gold")
    story.apply(msgspec.structs.replace(SHOP, tiers=(both, GOLD)), START + 1)
    story.tick(START + 2 * DAY)
    assert story.moves[1:] == []
    story.event("ann", START + 2 * DAY + 1, plan="gold")
    assert story.moves[1:] == [("ann", "5", "9", "tier")]
