"""A sorted set in memory: members by score, ranges in order, as Redis's sorted sets give them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUCKET = 1_000  # entries; small enough that an insertion moves little, large enough that there are few buckets


class Scores:
    """Members with an integer score, ordered by score, then by the member's bytes.

    Kept as sorted buckets of at most 2 × `BUCKET` entries, so that adding and removing stay cheap with millions.

    >>> due = Scores([(b"ann", 20), (b"bob", 10)])
    >>> due.between(0, 20, limit=1)
    [(b'bob', 10)]
    >>> due.put(b"ann", 5)
    >>> due.between(None, 20)
    [(b'ann', 5), (b'bob', 10)]
    """

    __slots__ = ("_buckets", "_last", "_score")

    def __init__(self, pairs: Iterable[tuple[bytes, int]] = ()) -> None:
        self._score = dict(pairs)
        entries = sorted((score, member) for member, score in self._score.items())
        self._buckets = [entries[at : at + BUCKET] for at in range(0, len(entries), BUCKET)]
        self._last = [bucket[-1] for bucket in self._buckets]

    def __len__(self) -> int:
        return len(self._score)

    def items(self) -> Iterator[tuple[bytes, int]]:
        """(member, score) in no stated order."""
        return iter(self._score.items())

    def put(self, member: bytes, score: int) -> None:
        """Adds a member, or moves it to another score."""
        if member in self._score:
            if self._score[member] == score:
                return
            self.remove(member)
        self._score[member] = score
        entry = (score, member)
        if not self._buckets:
            self._buckets.append([entry])
            self._last.append(entry)
            return
        at = min(bisect_left(self._last, entry), len(self._buckets) - 1)
        bucket = self._buckets[at]
        insort(bucket, entry)
        self._last[at] = bucket[-1]
        if len(bucket) > 2 * BUCKET:
            self._buckets[at : at + 1] = [bucket[:BUCKET], bucket[BUCKET:]]
            self._last[at : at + 1] = [bucket[BUCKET - 1], bucket[-1]]

    def remove(self, member: bytes) -> None:
        """Takes a member out; one that is not there is no mistake."""
        score = self._score.pop(member, None)
        if score is None:
            return
        entry = (score, member)
        at = bisect_left(self._last, entry)
        bucket = self._buckets[at]
        del bucket[bisect_left(bucket, entry)]
        if bucket:
            self._last[at] = bucket[-1]
        else:
            del self._buckets[at]
            del self._last[at]

    def between(self, after: int | None, until: int, limit: int = 0) -> list[tuple[bytes, int]]:
        """(member, score) with after < score <= until, in order (`after` None: from the lowest).

        With a `limit` above 0 it stops behind the score that reaches the limit: a score is never cut in two,
        so the result may be longer than the limit by the ties of its last score.
        """
        found: list[tuple[bytes, int]] = []
        at, inside = 0, 0
        if after is not None:
            at = bisect_left(self._last, (after + 1,))
            inside = bisect_left(self._buckets[at], (after + 1,)) if at < len(self._buckets) else 0
        for bucket in self._buckets[at:]:
            end = bisect_right(bucket, until, key=_score_of)
            for score, member in bucket[inside:end]:
                if 0 < limit <= len(found) and score != found[-1][1]:
                    return found
                found.append((member, score))
            if end < len(bucket):
                break
            inside = 0
        return found


def _score_of(entry: tuple[int, bytes]) -> int:
    return entry[0]
