"""How many customers another version would move: all of them, page by page, by the rule of the fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import heappush, heappushpop
from typing import NamedTuple

import msgspec
import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.decision import MOVE, activation_row, decide, distances
from stream_seg.core.measures import read_columns
from stream_seg.core.model import Float64, InForce, ModelArrays, ModelVersion, model_arrays
from stream_seg.core.record import ADOPTED, ALIVE, HASH, SEGMENT, TIER, TIME
from stream_seg.core.succession import columns_in
from stream_seg.errors import Stop
from stream_seg.pipeline.label_state import ACTIVATIONS, Memory
from stream_seg.pipeline.model_answers import DiffAnswer, Flow, Mover
from stream_seg.pipeline.models import Registered, activation_for, named
from stream_seg.pipeline.residents import Residents
from stream_seg.pipeline.rules import Rules, brought_in, rules_of
from stream_seg.wire.timestamps import rfc3339

BEFORE, AFTER = 0, 1  # rows of the two versions
DECIMALS = 6


class _Asked(NamedTuple):
    """Both versions on the rules of one partition; `models` has the rows `BEFORE` and `AFTER`."""

    rules: Rules
    models: ModelArrays
    d: Float64


def _same_tier(before: ModelVersion, after: ModelVersion) -> None:
    if before.tier != after.tier:
        raise Stop(
            f"version {before.version} is of the tier {before.tier}, version {after.version} of {after.tier}: no "
            "customer moves from the one to the other by a model"
        )


class Comparison:
    """Two versions over all customers. `look` at each page; memory stays bounded by pairs of segments and the sample.

    A customer is where the version before has it: where it stands now if that version labels it (or where that version
    is about to move it, if only the dwell holds it back), else at the nearest centre. The version after moves it as the
    fold would: its segment is no more, or another is nearer by the margin. A dwell only delays, so it is left out. Both
    versions are of one tier, and so are the customers who are counted.

    sample  most customers to name, those with the least hashes of all who would move: a fair draw, the same every time
    """

    def __init__(self, known: Registered, before: ModelVersion, after: ModelVersion, sample: int) -> None:
        _same_tier(before, after)
        self._known = known
        self._versions = before, after
        self._sample_size = sample
        self._margin = known.newest.definition.margin
        self._flows = Counter[tuple[int, int]]()
        self._customers = self._unlabelled = self._as_of = 0
        self._sample: list[tuple[int, bytes, int, int]] = []
        self._asked: tuple[bytes, _Asked] | None = None

    def look(self, customers: Sequence[bytes], records: Sequence[bytes | None], meta: Mapping[str, bytes]) -> None:
        """Takes customers of one partition.

        records, meta: as stored. Read `meta` last: it must have every layout that a record may be in.
        Raises `Stop` where the customers have not the features that a version needs.
        """
        memory = Memory(meta, 0)
        asked = self._ask(meta[ACTIVATIONS], memory)
        here = [(customer, record) for customer, record in zip(customers, records, strict=True) if record is not None]
        if not here:
            return
        ids = [customer for customer, _ in here]
        page = brought_in(ids, [record for _, record in here], asked.rules)
        for i, customer in enumerate(ids):
            row = self._row(page, i, asked)
            if page.people.words[i, ALIVE] == 1 and row.definition.tier == self._versions[AFTER].tier:
                self._customers += 1
                self._judge(customer, page, i, memory.state.clock, asked)

    def _judge(self, customer: bytes, page: Residents, i: int, clock: int, asked: _Asked) -> None:
        words = page.people.words
        as_of = max(int(words[i, TIME]), clock)
        self._as_of = max(self._as_of, as_of)
        read_columns(asked.rules.engine.plan.arrays, words, page.people.floats, i, as_of, page.work)
        before = self._place(page, i, asked)
        if before < 0:
            self._unlabelled += 1
            return
        words[i, SEGMENT] = before + 1  # a row of our own: nobody else reads it
        after = _decided(page, i, asked, AFTER)
        self._flows[before, after] += 1
        if after != before:
            self._keep(int(words[i, HASH]) & 0xFFFFFFFFFFFFFFFF, customer, before, after)

    @staticmethod
    def _row(page: Residents, i: int, asked: _Asked) -> Activation:
        """What a customer is under."""
        words, engine = page.people.words, asked.rules.engine
        return engine.rows[activation_row(engine.models, words[i, ADOPTED], words[i, TIER])]

    def _place(self, page: Residents, i: int, asked: _Asked) -> int:
        """A customer's segment under the version before; -1: it has none."""
        words, labels = page.people.words, self._row(page, i, asked).model
        if labels is not None and labels.version == self._versions[BEFORE].version:
            return _decided(page, i, asked, BEFORE) if words[i, SEGMENT] else -1
        return int(distances(asked.models, BEFORE, page.work.x, asked.d))

    def _keep(self, hashed: int, customer: bytes, before: int, after: int) -> None:
        """Keeps those with the least hashes; the heap's first is the greatest kept."""
        one = (-hashed, customer, before, after)
        if len(self._sample) < self._sample_size:
            heappush(self._sample, one)
        elif self._sample and self._sample[0] < one:
            heappushpop(self._sample, one)

    def _ask(self, activations: bytes, memory: Memory) -> _Asked:
        """The versions on what is in force, made anew only where that is something else than on the page before."""
        if self._asked is None or self._asked[0] != activations:
            rules = rules_of(memory.activations)
            fitted = [
                InForce(row, self._fitting(one, rules), self._margin, 0) for row, one in enumerate(self._versions)
            ]
            models = model_arrays(fitted, rules.engine.plan.names)
            self._asked = activations, _Asked(rules, models, np.empty(models.centers.shape[2]))
        return self._asked[1]

    def _fitting(self, model: ModelVersion, rules: Rules) -> ModelVersion:
        """A version with its columns named as customers' records have them."""
        under = activation_for(model, rules.activations)
        names = columns_in(rules.engine.activation, under) if under is not None else None
        if names is None:
            raise Stop(
                f"version {model.version} was learned on other features ({model.feature_set_version}) than those that "
                f"customers have ({rules.engine.activation.feature_set_version}): they cannot be compared"
            )
        return msgspec.structs.replace(model, columns=tuple(names.values()))

    def answer(self) -> DiffAnswer:
        """What came of it, the largest flow first."""
        moving = sorted(
            ((count, pair) for pair, count in self._flows.items() if pair[0] != pair[1]),
            key=lambda one: (-one[0], one[1]),
        )
        moves, labelled = sum(count for count, _ in moving), self._flows.total()
        share = moves / labelled if labelled else 0.0
        most, in_force = (
            self._known.newest.definition.learning.max_model_moves,
            self._known.in_force(self._versions[AFTER].tier),
        )
        return DiffAnswer(
            before=self._versions[BEFORE].version,
            after=self._versions[AFTER].version,
            in_force=in_force.version if in_force else None,
            customers=self._customers,
            unlabelled=self._unlabelled,
            moves=moves,
            share=round(share, DECIMALS),
            max_model_moves=most,
            too_many=share > most,
            margin=self._margin,
            flows=[self._flow(before, after, count) for count, (before, after) in moving],
            sample=[
                Mover(customer_id=customer.decode(), before=before, after=after)
                for _, customer, before, after in sorted(self._sample, reverse=True)
            ],
            as_of=rfc3339(self._as_of) if self._as_of else None,
        )

    def _flow(self, before: int, after: int, customers: int) -> Flow:
        old, new = self._versions
        return Flow(
            before=before,
            before_name=named(self._known, old, before),
            after=after,
            after_name=named(self._known, new, after),
            customers=customers,
        )


def _decided(page: Residents, i: int, asked: _Asked, row: int) -> int:
    """Where one of the versions has a customer who is in the segment of row i now."""
    words = page.people.words
    best = distances(asked.models, row, page.work.x, asked.d)
    moves = decide(asked.models, row, words, i, 0, best, asked.d) == MOVE
    return int(best if moves else words[i, SEGMENT] - 1)
