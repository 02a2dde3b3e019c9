"""Who is in a view: customers page by page, the best kept. Read only, nothing decided, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappush, heappushpop
from typing import NamedTuple

from stream_seg.core.activation import Activation
from stream_seg.core.decision import activation_row
from stream_seg.core.measures import read_columns
from stream_seg.core.record import ADOPTED, ALIVE, FIRST_EVENT, LAST_EVENT, SEGMENT, SINCE, TIER, TIME
from stream_seg.core.syntax import ExpressionError, Node, OneOf, leaves
from stream_seg.core.views import STANDING, WORDS, View, check_rank, holds, parse_who, score, terms_in
from stream_seg.errors import Stop
from stream_seg.pipeline.answers import MovedLately, Ranked, WhoAnswer
from stream_seg.pipeline.grounds import grounds
from stream_seg.pipeline.label_state import ACTIVATIONS, Memory
from stream_seg.pipeline.outcome import remembered
from stream_seg.pipeline.person import Header, Person, lately_moved
from stream_seg.pipeline.residents import Residents
from stream_seg.pipeline.rules import Rules, brought_in, rules_of
from stream_seg.pipeline.standings import Standings
from stream_seg.wire.timestamps import rfc3339

DECIMALS = 6
NEED_NO_MODEL = ("customer.age", "customer.silence")


class _Best(NamedTuple):
    """One of the best so far; of two with one score the lesser id is better, so that no page decides."""

    score: float
    customer: bytes
    told: Ranked

    def __lt__(self, other: tuple[object, ...]) -> bool:
        assert isinstance(other, _Best)
        return (self.score, other.customer) < (other.score, self.customer)


class _Asked(NamedTuple):
    """The view on the rules of one partition."""

    rules: Rules
    standings: list[Standings]
    who: Node
    terms: list[str]


class Ranking:
    """A view being asked. For each page of customers: `bring` it, then `judge` it with the movements it wants.

    Raises `Stop` where what is in force lacks what the view asks for, `EngineTooOld` for a log that a newer version
    decided.
    """

    def __init__(self, view: View, limit: int) -> None:
        self.view = view
        self.limit = limit
        self._best: list[_Best] = []
        self._customers = self._found = self._unranked = self._as_of = 0
        self._asked: tuple[bytes, _Asked] | None = None
        self._ids: list[bytes] = []
        self._page: Residents | None = None
        self._clock = 0

    def bring(
        self, customers: Sequence[bytes], records: Sequence[bytes | None], meta: Mapping[str, bytes]
    ) -> list[bytes]:
        """Takes customers of one partition; returns those whose movements the view must see.

        records, meta: as stored. Read `meta` last: it must have every layout that a record may be in.
        """
        memory = Memory(meta, 0)
        asked = self._ask(meta[ACTIVATIONS], memory)
        here = [(customer, record) for customer, record in zip(customers, records, strict=True) if record is not None]
        self._ids = [customer for customer, _ in here]
        self._page = brought_in(self._ids, [record for _, record in here], asked.rules) if here else None
        self._clock = memory.state.clock
        if self._page is None or not any(term.startswith("moved.") for term in asked.terms):
            return []
        words = self._page.people.words
        newly = words[:, SINCE] > words[:, TIME].clip(self._clock) - self.view.lately
        return [customer for i, customer in enumerate(self._ids) if newly[i] and words[i, SEGMENT]]

    def judge(self, histories: Mapping[bytes, Sequence[bytes]]) -> None:
        """Ranks the page. `histories`: movements as stored, newest first, of those that `bring` named."""
        if self._page is None or self._asked is None:
            return
        asked = self._asked[1]
        for i, customer in enumerate(self._ids):
            if self._page.people.words[i, ALIVE] == 1:
                self._customers += 1
                self._judge(customer, self._person(self._page, asked, i, histories.get(customer, ())), asked)

    def _judge(self, customer: bytes, person: Person, asked: _Asked) -> None:
        self._as_of = max(self._as_of, person.header.as_of)
        if not holds(asked.who, person.value_of):
            return
        self._found += 1
        value = score(self.view.rank, person.value_of)
        if value is None:
            self._unranked += 1
            return
        one = _Best(value, customer, _NOT_TOLD)
        if len(self._best) < self.limit:
            heappush(self._best, one._replace(told=_told(customer, value, person, self.view, asked.terms)))
        elif self._best[0] < one:
            heappushpop(self._best, one._replace(told=_told(customer, value, person, self.view, asked.terms)))

    def answer(self) -> WhoAnswer:
        """What came of it, the highest score first."""
        return WhoAnswer(
            view=self.view.name,
            question=self.view.question,
            customers=self._customers,
            found=self._found,
            unranked=self._unranked,
            as_of=rfc3339(self._as_of) if self._as_of else None,
            ranked=[one.told for one in sorted(self._best, reverse=True)],
        )

    def _person(self, page: Residents, asked: _Asked, i: int, history: Sequence[bytes]) -> Person:
        engine, words, work = asked.rules.engine, page.people.words, page.work
        as_of = max(int(words[i, TIME]), self._clock)
        read_columns(engine.plan.arrays, words, page.people.floats, i, as_of, work)
        standings = asked.standings[activation_row(engine.models, words[i, ADOPTED], words[i, TIER])]
        segment = int(words[i, SEGMENT]) - 1
        known = segment if segment >= 0 and standings.activation.model is not None else None
        header = Header(as_of, known, *(int(words[i, at]) for at in (SINCE, FIRST_EVENT, LAST_EVENT)))
        since = as_of - self.view.lately
        lately = lately_moved([remembered(entry) for entry in history], since, known)
        return Person(engine, standings, header, work.raw, work.x, lately)

    def _ask(self, activations: bytes, memory: Memory) -> _Asked:
        """The view on what is in force, made anew only where that is something else than on the page before."""
        if self._asked is None or self._asked[0] != activations:
            rules = rules_of(memory.activations)
            standings = [Standings(rules.engine, row, one) for row, one in enumerate(rules.engine.rows)]
            who, terms = _understood(self.view, rules.activations[-1])
            self._asked = activations, _Asked(rules, standings, who, terms)
        return self._asked[1]


_NOT_TOLD = Ranked(customer_id="", score=0.0, segment=None, segment_name=None, moved=None, reasons=[])


def _understood(view: View, newest: Activation) -> tuple[Node, list[str]]:
    """The view's condition and its terms, on the features and segments in force."""
    features = newest.definition.features
    try:
        who = parse_who(view.who, features)
        for term in view.rank:
            check_rank(term, features)
    except ExpressionError as error:
        raise Stop(
            f"{view.name} cannot be asked of what is in force: {error.message}. Where the file has it already, "
            "`stream-seg apply` puts it in force"
        ) from error
    terms = terms_in(view, features)
    asks_model = [t for t in terms if t.endswith(STANDING) or (t in WORDS and t not in NEED_NO_MODEL)]
    segments = {n: tier.name_of(n) for tier in newest.each for n in tier.alive}
    if not segments:
        if asks_model:
            raise Stop(
                f"{view.name} asks for {asks_model[0]}, and there is no model yet: the first comes at the end of the "
                f"day (UTC) that has {newest.definition.learning.warm_start} customers"
            )
        return who, terms
    for leaf in leaves(who):
        if isinstance(leaf, OneOf) and leaf.field in ("segment", "moved.from"):
            for one in leaf.constants:
                if one not in segments and one not in segments.values():
                    known = ", ".join(f"{n} {name!r}" for n, name in segments.items())
                    raise Stop(f"{view.name} asks for segment {one!r}, and the model has none of that name: {known}")
    return who, terms


def _told(customer: bytes, value: float, person: Person, view: View, terms: Sequence[str]) -> Ranked:
    segment, lately = person.header.segment, person.lately
    activation = person.standings.activation
    return Ranked(
        customer_id=customer.decode(),
        score=round(value, DECIMALS),
        segment=segment,
        segment_name=None if segment is None else activation.name_of(segment),
        moved=None
        if lately is None
        else MovedLately(
            before=lately.before,
            before_name=activation.name_of(lately.before),
            cause=lately.cause,
            at=rfc3339(lately.at),
            ago=person.ago(lately.at) or 0.0,
        ),
        reasons=grounds(person, terms, view.rank),
    )
