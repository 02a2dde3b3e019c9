"""What comes of what one tier learned: versions, proposals that wait, definitions. And what people order there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.clustering import made_with
from stream_seg.core.definition import DAY
from stream_seg.core.engine import compile_engine
from stream_seg.core.lineage import Change, by_number
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.facts import TierFacts
from stream_seg.pipeline.learn_state import AUTHOR, Memory, Proposal, TierState
from stream_seg.pipeline.table import Share
from stream_seg.pipeline.training import Training
from stream_seg.pipeline.versions import propose, put_in_force
from stream_seg.pipeline.watching import Watch
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.activations import Kind
from stream_seg.wire.definitions import Described, definition_messages, model_message
from stream_seg.wire.drift import waiting_message
from stream_seg.wire.timestamps import rfc3339
from stream_seg.wire.trainings import training_messages

MONTH = 30 * DAY

Activate = Callable[[Activation, Kind, str], list[Message]]


class Answered(NamedTuple):
    """What came of an order in one tier, in words, and what LEARN is to say; number: the activation that it brought."""

    said: str
    messages: Sequence[Message] = ()
    refused: bool = False
    number: int = 0


class Tier:
    """The versions of one tier. Every method gives what LEARN is to say.

    activate  puts a whole activation in force, and sets this tier up for it (`compile`)
    """

    def __init__(self, memory: Memory, share: Share, activate: Activate) -> None:
        self.memory = memory
        self.own = memory.tier(share.tier)
        self.share = share
        self.name = share.tier
        self._put = activate

    @property
    def in_force(self) -> Activation:
        """The activation in force, as this tier has it."""
        assert self.memory.activation is not None  # a tier is made for an activation
        return self.memory.activation.of(self.name)

    def compile(self) -> None:
        """Sets everything up for the activation in force; the learner goes on from its written state."""
        self.training = Training(compile_engine([self.in_force]), self.share, self.own.state, self.own.learner)
        self.watch = Watch(self.training, self.own.drift)
        model = self.in_force.model
        if model is not None and model.version != self.watch.monitor.version and self.training.comparable(model):
            self.watch.adopt(model)

    def dump(self) -> None:
        """Writes down what was learned and watched where it will be stored."""
        self.own.learner = self.training.dump()
        self.own.drift = self.watch.dump()

    def forget(self, ready: int, at: int) -> list[Message]:
        """The features changed: nothing that was learned is of use, and nothing new can be before `ready`."""
        said = self._withdraw(at)
        self.own.state.ready, self.own.state.given = ready, False
        self.training.learner = None
        self.watch = Watch(self.training, None)
        return said

    def begin_anew(self) -> None:
        """The rules of learning changed: what the learner knows is of no use, what is in force is."""
        self.training.learner = None
        self.own.state.given = False

    def given(self) -> list[Message]:
        """A version came with the first definition, learned elsewhere: the learner is to go on from it."""
        model = self.in_force.model
        if model is None or not self.training.comparable(model):
            return []
        self.own.state.given = True
        at = model.trained_at
        return [model_message(model, self.in_force.definition.name), *self.describe(model, None, at, at)]

    def _wait_for_windows(self, previous: int) -> None:
        """A given version knows the past up to when it was made, and windows here begin empty.

        Nobody learns from customers whose windows are half full.
        """
        state, model = self.own.state, self.in_force.model
        if state.given and not state.ready and model is not None:
            windows = max((feature.window or 0 for feature in self.in_force.definition.features), default=0)
            state.ready = max(model.trained_at, previous + windows)

    def facts(self) -> TierFacts:
        """For who watches."""
        state, proposal = self.own.state, self.own.proposal
        waiting = proposal.moves if proposal is not None and not proposal.from_ else None
        return TierFacts(
            self.name, len(self.share.members), state.refitted, state.published, state.held, waiting, self.own.findings
        )

    # --- a day

    def boundary(self, previous: int, day: int) -> list[Message]:
        """Watches and learns one day, and puts in force what is due."""
        own = self.own
        self._wait_for_windows(previous)
        announced = own.proposal if own.proposal and own.proposal.from_ else None
        note_moves(own.state, self.share.moves(previous, day), day)
        own.findings = findings = self.watch.day(previous, day)
        alarmed = self.training.rules.retrain_on_drift and any(f.new and f.severity == "act" for f in findings)
        worth = self.training.day(previous, day, proposed=own.proposal.model if own.proposal else None, refit=alarmed)
        said = self.watch.messages(findings, day)
        if announced is not None:
            return [*said, *(self._come(announced, day) if day >= announced.from_ else [])]
        return [*said, *(self._propose(day, worth) if worth else self._measured_again(day))]

    def _measured_again(self, day: int) -> list[Message]:
        """What the segments in force are like now: said whenever a refit found nothing better."""
        in_force = self.in_force.model
        if self.own.state.refitted != day or in_force is None or not self.training.comparable(in_force):
            return []
        return self.describe(in_force, None, day, day, again=True)

    def _propose(self, day: int, why: str) -> list[Message]:
        """A new version: in force at once, announced, or waiting for a person."""
        rules, in_force = self.training.rules, self.in_force.model
        proposal = propose(self.training, self.memory.state, day, why)
        said = [*self._recorded(proposal), model_message(proposal.model, self.in_force.definition.name)]
        held = self.own.state.held and in_force is not None
        if held or proposal.moves > rules.max_model_moves:
            self.own.proposal = proposal
            return [*said, waiting_message(proposal.model, self.in_force, proposal.flows, proposal.labelled, held=held)]
        if rules.notice and in_force is not None:
            self.own.proposal = msgspec.structs.replace(proposal, from_=day + rules.notice)
            return [*said, *self.describe(proposal.model, proposal.lineage, day, day + rules.notice)]
        return [*said, *self.describe(proposal.model, proposal.lineage, day, day), *self._come(proposal, day)]

    def _recorded(self, proposal: Proposal) -> list[Message]:
        """What the version was made by, so that anybody can make it again."""
        assert self.training.operation is not None  # a version is proposed right after the learner's work
        name = self.in_force.definition.name
        return training_messages(proposal.model, self.training.operation, proposal.numbers, made_with(), name)

    def _come(self, proposal: Proposal, day: int) -> list[Message]:
        """A proposal comes into force."""
        assert self.memory.activation is not None
        self.own.proposal = None
        model, own = proposal.model, proposal.who == AUTHOR
        why = f"version {model.version}: {proposal.why}" if own else proposal.why
        following = put_in_force(self.memory.activation, model, who=proposal.who, at=day, why=why)
        return self._put(following, "model" if own else "promote", self.name)

    def _withdraw(self, at: int) -> list[Message]:
        """Nothing is proposed any more. Where it was announced, whoever heard of it hears that it does not come."""
        proposal, self.own.proposal = self.own.proposal, None
        in_force = self.in_force.model
        if proposal is None or not proposal.from_ or in_force is None:
            return []
        here = self.training.labels(self.share.latest(self.memory.state.learned))
        changes = by_number(here, here, (*in_force.alive, *proposal.model.alive), in_force.alive)
        return self.describe(in_force, changes, at, at, withdrawn=proposal.model.version)

    # --- orders

    def promote(self, order: control.Order, model: ModelVersion) -> Answered:
        """Puts a version in force that was made before. One that the learner did not just propose is held on to.

        A promoted one is announced first, as the learner's are, unless it is to be taken at once. A rollback never
        waits: what it brings back is known, and what it takes back may do harm.
        """
        current, own = self.in_force, self.own
        if model.feature_set_version != current.feature_set_version:
            return refusal(
                f"version {model.version} was learned on other features ({model.feature_set_version}, in force are "
                f"{current.feature_set_version}); `stream-seg apply` brings features back, a model is learned on them"
            )
        if current.model == model and order.ramp == "walk":
            return Answered(f"version {model.version} is in force already")
        proposal = own.proposal
        newest = order.kind == "promote" and proposal is not None and proposal.model == model
        own.state.held = not newest
        held = "" if newest else "; nothing newer is published by itself until `stream-seg model thaw`"
        lineage = proposal.lineage if proposal and newest else None
        waits = order.kind == "promote" and order.ramp == "walk" and current.model is not None
        notice = self.training.rules.notice if waits else 0
        if notice and proposal is not None and newest and proposal.from_:
            return Answered(f"version {model.version} is announced for {rfc3339(proposal.from_)} already")
        withdrawn = [] if newest else self._withdraw(order.at)
        own.proposal = None
        described = self.describe(model, lineage, order.at, order.at + notice)
        if notice:
            own.proposal = Proposal(model, 0.0, order.why, lineage or (), from_=order.at + notice, who=order.who)
            said = f"version {model.version} is announced for {rfc3339(order.at + notice)}{held}"
            return Answered(said, [*withdrawn, *described])
        assert self.memory.activation is not None
        following = put_in_force(
            self.memory.activation, model, who=order.who, at=order.at, why=order.why, ramp=order.ramp
        )
        said = f"version {model.version} is in force with activation {following.number}{held}"
        kind: Kind = "rollback" if order.kind == "rollback" else "promote"
        messages = [*withdrawn, *described, *self._put(following, kind, self.name)]
        return Answered(said, messages, number=following.number)

    def hold(self, *, on: bool, at: int) -> Answered:
        """Learning goes on; whether versions are published by themselves is a person's choice."""
        own, proposal = self.own, self.own.proposal
        own.state.held = on
        if not on:
            return Answered("versions are published by themselves")
        said: Sequence[Message] = ()
        if proposal is not None and proposal.who == AUTHOR:
            said = self._withdraw(at)
            own.proposal = msgspec.structs.replace(proposal, from_=0)
        return Answered("learning goes on, no version is published by itself", said)

    def retrain(self, order: control.Order) -> Answered:
        """A refit now, on what was learned up to the last boundary; proposed however little better it is."""
        day = self.memory.state.learned
        if self.training.learner is None or not self.share.members:
            return refusal("there is no learner yet; it begins once enough customers are known")
        self.training.retrain(day)
        messages = [*self._withdraw(order.at), *self._propose(day, f"{order.who} asked for it: {order.why}")]
        standing = "proposed and waits" if self.own.proposal is not None else "in force"
        return Answered(f"version {self.memory.state.versions} is {standing}", messages)

    def end(self, at: int) -> list[Message]:
        """The tier is no more: what becomes of its segments."""
        model = self.in_force.model
        if model is None:
            return []
        here, proposal = self.training.labels(self.share.latest(self.memory.state.learned)), self.own.proposal
        announced = proposal.model.alive if proposal is not None and proposal.from_ else ()
        return self.describe(model, by_number(here, here, (*model.alive, *announced), ()), at, at, ended=True)

    def describe(
        self,
        model: ModelVersion,
        lineage: Sequence[Change] | None,
        announced: int,
        active_from: int,
        *,
        again: bool = False,
        ended: bool = False,
        withdrawn: int | None = None,
    ) -> list[Message]:
        """What the segments of a version mean; without a lineage it is by their numbers.

        again: nothing changed; ended: nobody is in any of them from now on; withdrawn: the version that was announced
        instead and does not come.
        """
        in_force = self.in_force.model
        training, samples = self.training, self.share.latest(self.memory.state.learned)
        before = training.labels(samples)
        after = before if model == in_force else training.labels_under(model, samples)
        if ended:
            after = np.full(len(samples), -1)
        if lineage is None:
            lineage = by_number(before, after, in_force.alive if in_force else (), model.alive)
        tier, day = self.own.state, self.memory.state.learned
        old_enough = tier.began and day - tier.began >= MONTH
        told = Described(
            model=model,
            definition=self.in_force.definition,
            columns=training.engine.plan.columns,
            raw=training.raw(samples),
            before=before,
            after=after,
            lineage=lineage,
            active=np.array([s.last_event > day - MONTH for s in samples], np.bool_),
            settled=np.array([0 < s.since <= day - MONTH for s in samples if old_enough], np.bool_),
            moved=moved_lately(tier),
            again=again,
            withdrawn=withdrawn,
        )
        return definition_messages(told, tier.history, announced=announced, active_from=active_from)


def refusal(why: str) -> Answered:
    """An order that is not carried out."""
    return Answered(f"refused: {why}", refused=True)


def note_moves(tier: TierState, moves: Mapping[tuple[int, int], int], day: int) -> None:
    """Keeps a day's movements between segments, and forgets those of more than a month ago."""
    kept = [move for move in tier.moved if move[0] > day - MONTH]
    tier.moved = kept + [(day, old, new, customers) for (old, new), customers in sorted(moves.items())]


def moved_lately(tier: TierState) -> Counter[tuple[int, int]]:
    """(from, to) -> how many moved so in the last month."""
    found = Counter[tuple[int, int]]()
    for _, old, new, customers in tier.moved:
        found[old, new] += customers
    return found
