"""Numbers of segments through versions: they go on with their customers, and are never given to others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.core.lineage import by_number, lineage
from stream_seg.core.model import Int64


def labels(*counts: tuple[int, int, int]) -> tuple[Int64, Int64]:
    """(old, new, customers) as two arrays of labels."""
    old = [a for a, _, n in counts for _ in range(n)]
    new = [b for _, b, n in counts for _ in range(n)]
    return np.array(old, np.int64), np.array(new, np.int64)


def kinds(old: Int64, new: Int64, alive: tuple[int, ...], k: int, free: int) -> dict[int, tuple[str, tuple[int, ...]]]:
    return {c.segment: (c.kind, c.of) for c in lineage(old, new, alive, k, free).changes}


def test_the_first_version_creates_them() -> None:
    found = lineage(np.full(4, -1), np.array([0, 1, 1, 0]), (), 2, 0)
    assert found.numbers == (0, 1)
    assert [c.kind for c in found.changes] == ["created", "created"]


def test_shuffled_rows_keep_their_numbers() -> None:
    old, new = labels((0, 2, 50), (1, 0, 40), (4, 1, 30))
    assert lineage(old, new, (0, 1, 4), 3, 5).numbers == (1, 4, 0)


def test_a_split_a_merger_an_end_and_a_new_kind() -> None:
    assert kinds(*labels((0, 0, 60), (0, 1, 55), (1, 2, 50)), (0, 1), 3, 2)[2] == ("split", (0,))
    assert kinds(*labels((0, 0, 60), (1, 0, 20), (2, 1, 50)), (0, 1, 2), 2, 3)[1] == ("merged", (0,))
    spread = labels((0, 0, 50), (1, 1, 50), (2, 2, 50), (3, 0, 20), (3, 1, 20), (3, 2, 20))
    assert kinds(*spread, (0, 1, 2, 3), 3, 4)[3] == ("retired", ())
    strangers = labels((0, 0, 50), (1, 1, 50), (0, 2, 20), (1, 2, 20), (-1, 2, 40))
    assert kinds(*strangers, (0, 1), 3, 2)[2] == ("emerged", ())


def test_a_number_does_not_come_to_mean_other_people() -> None:
    # Segment 1 dissolves, and elsewhere a new one appears: k is the same, the number is not.
    old, new = labels((0, 0, 100), (1, 0, 40), (2, 2, 100), (1, 2, 50), (0, 1, 45), (1, 1, 5))
    found = lineage(old, new, (0, 1, 2), 3, 3)
    assert found.numbers == (0, 3, 2)


def test_a_version_that_comes_back_is_told_by_its_numbers() -> None:
    old, new = labels((0, 0, 5), (2, 1, 7))
    assert [(c.kind, c.segment, c.customers) for c in by_number(old, new, (0, 2), (0, 1))] == [
        ("updated", 0, 5), ("emerged", 1, 7), ("retired", 2, 7),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 5)), min_size=1, max_size=80), st.integers(0, 3))
def test_every_segment_is_told_of_once_and_new_numbers_were_never_used(
    pairs: list[tuple[int, int]], spare: int
) -> None:
    old, new = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    alive, k = tuple(sorted({a for a in old.tolist() if a >= 0})), 6
    free = max(alive, default=-1) + 1 + spare
    found = lineage(old, new, alive, k, free)
    assert len(set(found.numbers)) == k
    assert all(number in alive or number >= free for number in found.numbers)
    told = [change.segment for change in found.changes]
    assert told == sorted({*alive, *found.numbers})
    for change in found.changes:
        ended = change.kind in ("merged", "retired")
        assert ended == (change.segment not in found.numbers)
