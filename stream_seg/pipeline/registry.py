"""What comes of what was learned: versions, proposals that wait, activations. And what people order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.clustering import made_with
from stream_seg.core.definition import DAY, Definition
from stream_seg.core.engine import compile_engine
from stream_seg.core.lineage import Change, by_number
from stream_seg.core.model import ModelVersion
from stream_seg.core.succession import succeed
from stream_seg.pipeline.learn_state import Memory, Proposal, Request, Table, TierState
from stream_seg.pipeline.training import Training
from stream_seg.pipeline.versions import propose, put_in_force
from stream_seg.pipeline.watching import Watch
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.activations import Kind, activation_message
from stream_seg.wire.definitions import Described, definition_messages, model_message
from stream_seg.wire.drift import waiting_message
from stream_seg.wire.trainings import training_messages

EVENTS = "events"
MONTH = 30 * DAY
REQUESTS = 20  # the last that people asked for, kept so that one sent twice counts once
LEARNER = "learn"  # who decides where no person does


class Registry:
    """The versions of one tier. Every method gives what LEARN is to say."""

    def __init__(self, memory: Memory, table: Table) -> None:
        self.memory = memory
        self.table = table

    def compile(self, activation: Activation) -> None:
        """Sets everything up for an activation; the learner goes on from its written state."""
        definition = activation.definition
        self.table.limit = definition.learning.table
        if self.table.period != definition.learn_every:
            self.table.period = definition.learn_every
            self.table.arrange(self.memory.state.learned)
        self.training = Training(compile_engine([activation]), self.table, self.memory.state.tier, self.memory.learner)
        self.watch = Watch(self.training, self.memory.drift)
        model = activation.model
        if model is not None and model.version != self.watch.monitor.version and self.training.comparable(model):
            self.watch.adopt(model)

    def dump(self) -> None:
        """Writes down what was learned and watched where it will be stored."""
        if self.memory.activation is not None:
            self.memory.learner = self.training.dump()
            self.memory.drift = self.watch.dump()

    # --- definitions

    def first(self, activation: Activation) -> list[Message]:
        """An activation that a person wrote into every log; later ones are numbered here."""
        state, current = self.memory.state, self.memory.activation
        if current is not None and activation.number <= current.number:
            return []
        self.memory.activation = activation
        state.layout = activation.layout
        if activation.model is not None:
            state.tier.versions = max(state.tier.versions, activation.model.version)
            state.tier.free = max(state.tier.free, activation.model.k)
        self.compile(activation)
        return [activation_message(activation, "definition")]

    def changed(self, wish: control.Apply) -> list[Message]:
        """A changed definition: numbered, the old model kept at work until a new one is learned."""
        state, current = self.memory.state, self.memory.activation
        if current is None or self._known(wish.request):
            return []
        following = succeed(current, wish.definition, who=wish.who, at=wish.at, why=wish.why)
        if following.feature_set_version != current.feature_set_version:
            state.layout = following.layout
            state.tier.ready = state.learned + max((f.window or 0 for f in following.definition.features), default=0)
            self.table.clear()
            self.training.learner = self.memory.proposal = None
            self.watch = Watch(self.training, None)
        elif _begins_anew(current.definition, wish.definition):
            self.training.learner = None
        state.partitions = wish.partitions
        self._answer(wish.request, f"activation {following.number} is in force")
        messages = self._activate(following, "definition")
        if wish.definition.levers != current.definition.levers and following.model is not None:
            messages += self._describe(following.model, None, wish.at, wish.at)
        return messages

    # --- a day

    def boundary(self, day: int) -> list[Message]:
        """Watches and learns one day, and puts in force what is due."""
        memory = self.memory
        previous, memory.state.learned = memory.state.learned, day
        announced = memory.proposal if memory.proposal and memory.proposal.from_ else None
        self.table.close(day)
        note_moves(memory.state.tier, self.table.moves(previous, day), day)
        findings = self.watch.day(previous, day)
        alarmed = self.training.rules.retrain_on_drift and any(f.new and f.severity == "act" for f in findings)
        worth = self.training.day(
            previous, day, proposed=memory.proposal.model if memory.proposal else None, refit=alarmed
        )
        said = self.watch.messages(findings, day)
        if announced is not None:
            return [*said, *(self._come(announced, day) if day >= announced.from_ else [])]
        return [*said, *(self._propose(day, worth) if worth else self._measured_again(day))]

    def _measured_again(self, day: int) -> list[Message]:
        """What the segments in force are like now: said whenever a refit found nothing better."""
        in_force = self.training.engine.activation.model
        if self.memory.state.tier.refitted != day or in_force is None or not self.training.comparable(in_force):
            return []
        return self._describe(in_force, None, day, day, again=True)

    def _propose(self, day: int, why: str) -> list[Message]:
        """A new version: in force at once, announced, or waiting for a person."""
        assert self.memory.activation is not None
        rules, in_force = self.memory.activation.definition.learning, self.memory.activation.model
        proposal = propose(self.training, day, why)
        said = [*self._recorded(proposal), model_message(proposal.model, self.memory.activation.definition.name)]
        held = self.memory.state.tier.held and in_force is not None
        if held or proposal.moves > rules.max_model_moves:
            self.memory.proposal = proposal
            return [*said, waiting_message(proposal.model, self.memory.activation, proposal.moves, held=held)]
        if rules.notice and in_force is not None:
            self.memory.proposal = msgspec.structs.replace(proposal, from_=day + rules.notice)
            return [*said, *self._describe(proposal.model, proposal.lineage, day, day + rules.notice)]
        return [*said, *self._describe(proposal.model, proposal.lineage, day, day), *self._come(proposal, day)]

    def _recorded(self, proposal: Proposal) -> list[Message]:
        """What the version was made by, so that anybody can make it again."""
        assert self.memory.activation is not None
        assert self.training.operation is not None  # a version is proposed right after the learner's work
        name = self.memory.activation.definition.name
        return training_messages(proposal.model, self.training.operation, proposal.numbers, made_with(), name)

    def _come(self, proposal: Proposal, day: int) -> list[Message]:
        """A proposal comes into force."""
        assert self.memory.activation is not None
        self.memory.proposal = None
        model = proposal.model
        why = f"version {model.version}: {proposal.why}"
        return self._activate(put_in_force(self.memory.activation, model, who=LEARNER, at=day, why=why), "model")

    # --- orders

    def obey(self, order: control.Order, damage: str | None = None) -> list[Message]:
        """What a person ordered, once; the answer stands in the slot's state for whoever ordered it.

        `damage`: why the order's model cannot be read.
        """
        if self._known(order.request):
            return []
        if self.memory.activation is None:
            return self._refuse(order, "no definition is in force yet")
        if damage is not None:
            return self._refuse(order, f"the version that it names cannot be read ({damage}); what is in force stays")
        self.memory.state.partitions = order.partitions
        match order.kind:
            case "promote" | "rollback":
                return self._promote(order)
            case "freeze" | "thaw":
                return self._hold(order, on=order.kind == "freeze")
            case "retrain":
                return self._retrain(order)

    def _promote(self, order: control.Order) -> list[Message]:
        """Puts a version in force that was made before. One that the learner did not just propose is held on to."""
        current, tier, model = self.memory.activation, self.memory.state.tier, order.model
        assert current is not None
        if model is None or model.version > tier.versions:
            return self._refuse(order, "there is no such version")
        if not model.intact:
            return self._refuse(order, f"version {model.version} does not match its checksum; what is in force stays")
        if model.feature_set_version != current.feature_set_version:
            return self._refuse(
                order,
                f"version {model.version} was learned on other features ({model.feature_set_version}, in force are "
                f"{current.feature_set_version}); `stream-seg apply` brings features back, a model is learned on them",
            )
        if current.model == model:
            self._answer(order.request, f"version {model.version} is in force already")
            return []
        proposal, self.memory.proposal = self.memory.proposal, None
        newest = order.kind == "promote" and proposal is not None and proposal.model == model
        tier.held = not newest
        lineage = proposal.lineage if proposal and newest else None
        following = put_in_force(current, model, who=order.who, at=order.at, why=order.why, ramp=order.ramp)
        held = "" if newest else "; nothing newer is published by itself until `stream-seg model thaw`"
        self._answer(order.request, f"version {model.version} is in force with activation {following.number}{held}")
        described = self._describe(model, lineage, order.at, order.at)
        return [*described, *self._activate(following, "rollback" if order.kind == "rollback" else "promote")]

    def _hold(self, order: control.Order, *, on: bool) -> list[Message]:
        tier, proposal = self.memory.state.tier, self.memory.proposal
        tier.held = on
        if on and proposal is not None:
            self.memory.proposal = msgspec.structs.replace(proposal, from_=0)
        said = "learning goes on, no version is published by itself" if on else "versions are published by themselves"
        self._answer(order.request, said)
        return []

    def _retrain(self, order: control.Order) -> list[Message]:
        """A refit now, on what was learned up to the last boundary; proposed however little better it is."""
        day = self.memory.state.learned
        if self.training.learner is None or not self.training.table.members:
            return self._refuse(order, "there is no learner yet; it begins once enough customers are known")
        self.training.retrain(day)
        messages = self._propose(day, f"{order.who} asked for it: {order.why}")
        waiting = self.memory.proposal is not None
        self._answer(
            order.request,
            f"version {self.memory.state.tier.versions} is {'proposed and waits' if waiting else 'in force'}",
        )
        return messages

    # --- what they share

    def _known(self, request: str) -> bool:
        return any(one.id == request for one in self.memory.state.requests)

    def _answer(self, request: str, said: str, *, refused: bool = False) -> None:
        state = self.memory.state
        state.requests = [*state.requests[1 - REQUESTS :], Request(request, said, refused)]

    def _refuse(self, order: control.Order, why: str) -> list[Message]:
        self._answer(order.request, f"refused: {why}", refused=True)
        return []

    def _describe(
        self,
        model: ModelVersion,
        lineage: Sequence[Change] | None,
        announced: int,
        active_from: int,
        *,
        again: bool = False,
    ) -> list[Message]:
        """What the segments of a version mean; without a lineage it is by their numbers. `again`: nothing changed."""
        assert self.memory.activation is not None
        in_force = self.memory.activation.model
        training, samples = self.training, self.table.latest(self.memory.state.learned)
        before = training.labels(samples)
        after = training.labels_under(model, samples)
        if lineage is None:
            lineage = by_number(before, after, in_force.alive if in_force else (), model.alive)
        tier, day = self.memory.state.tier, self.memory.state.learned
        old_enough = tier.began and day - tier.began >= MONTH
        told = Described(
            model=model,
            definition=self.memory.activation.definition,
            columns=training.engine.plan.columns,
            raw=training.raw(samples),
            before=before,
            after=after,
            lineage=lineage,
            active=np.array([s.last_event > day - MONTH for s in samples], np.bool_),
            settled=np.array([0 < s.since <= day - MONTH for s in samples if old_enough], np.bool_),
            moved=moved_lately(tier),
        )
        return definition_messages(told, tier.history, announced=announced, active_from=active_from, again=again)

    def _activate(self, activation: Activation, kind: Kind) -> list[Message]:
        """Puts an activation in force here, and in every events partition; the history gets it too."""
        self.dump()
        self.memory.activation = activation
        self.compile(activation)
        return [
            control.control(EVENTS, control.ACTIVATE, activation, partition)
            for partition in range(self.memory.state.partitions)
        ] + [activation_message(activation, kind)]


def _begins_anew(before: Definition, after: Definition) -> bool:
    """Whether what a learner knows is of no use under the changed rules."""
    return any(
        getattr(before.learning, rule) != getattr(after.learning, rule) for rule in ("k", "learner", "seed", "options")
    )


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
