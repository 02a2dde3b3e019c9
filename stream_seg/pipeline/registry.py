"""What is in force: activations, changed definitions, and what people order. Each tier has its versions (`Tier`)."""

from __future__ import annotations

from stream_seg.core.activation import Activation
from stream_seg.core.definition import Definition
from stream_seg.core.succession import succeed
from stream_seg.pipeline.learn_state import Memory, Request
from stream_seg.pipeline.table import Table
from stream_seg.pipeline.tier import Answered, Tier, refusal
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.activations import Kind, activation_message

EVENTS = "events"
REQUESTS = 20  # the last that people asked for, kept so that one sent twice counts once


class Registry:
    """Every method gives what LEARN is to say. `tiers`: those of the activation in force, ``all`` first."""

    def __init__(self, memory: Memory, table: Table) -> None:
        self.memory = memory
        self.table = table
        self.tiers: dict[str, Tier] = {}

    def compile(self, activation: Activation) -> None:
        """Sets everything up for an activation that came into force."""
        definition, names = activation.definition, [one.definition.tier for one in activation.each]
        self.table.limit = definition.learning.table
        for name in names[1:]:  # windows that are filling have not filled for a tier that is new
            if name not in self.memory.tiers:
                self.memory.tier(name).state.ready = self.memory.tier(names[0]).state.ready
        gone = self.tiers.keys() - set(names)
        if gone:
            self.table.only(names)
        if gone or self.table.period != definition.learn_every:
            self.table.period = definition.learn_every
            self.table.arrange(self.memory.state.learned)
        self.tiers = {
            name: self.tiers.get(name) or Tier(self.memory, self.table.of(name), self._activate) for name in names
        }
        self.memory.keep(names)
        for tier in self.tiers.values():
            tier.compile()

    def dump(self) -> None:
        """Writes down what was learned and watched where it will be stored."""
        for tier in self.tiers.values():
            tier.dump()

    # --- definitions

    def first(self, activation: Activation) -> list[Message]:
        """An activation that a person wrote into every log; later ones are numbered here."""
        state, current = self.memory.state, self.memory.activation
        if current is not None and activation.number <= current.number:
            return []
        self.memory.activation = activation
        state.layout = activation.layout
        state.versions, state.free = max(state.versions, activation.versions), max(state.free, activation.free)
        for one in activation.each:
            if one.model is not None:
                state.versions = max(state.versions, one.model.version)
                state.free = max(state.free, one.model.k)
        self.compile(activation)
        given = [tier.given() for tier in self.tiers.values() if activation.number == 1]
        return [activation_message(activation, "definition"), *(message for said in given for message in said)]

    def changed(self, wish: control.Apply) -> list[Message]:
        """A changed definition: numbered, the old models kept at work until new ones are learned."""
        state, current = self.memory.state, self.memory.activation
        if self._known(wish.request):
            return []
        if current is None:
            return self._answer(wish.request, refusal("no definition is in force yet"))
        following = succeed(current, wish.definition, who=wish.who, at=wish.at, why=wish.why, fill=wish.fill)
        names = {one.definition.tier for one in following.each}
        ended = [message for name, tier in self.tiers.items() if name not in names for message in tier.end(wish.at)]
        if following.feature_set_version != current.feature_set_version:
            state.layout = following.layout
            self.table.clear()
            # From when on the features are whole: they begin now, or began where the log was read again.
            begun = min(wish.fill.since, state.learned) if wish.fill is not None else state.learned
            longest = max((f.window or 0 for f in following.definition.features), default=0)
            ready = max(begun + longest, state.learned)
            for tier in self.tiers.values():
                ended += tier.forget(ready, wish.at) if tier.name in names else []
        else:
            for one in following.each:
                tier_before = self.tiers.get(one.definition.tier)
                if tier_before is not None and _begins_anew(tier_before.in_force.definition, one.definition):
                    tier_before.begin_anew()
        state.partitions = wish.partitions
        said = f"activation {following.number} is in force"
        self._answer(wish.request, Answered(said, number=following.number))
        messages = [*ended, *self._activate(following, "definition", following.definition.tier)]
        if wish.definition.levers != current.definition.levers:
            for tier in self.tiers.values():
                model = tier.in_force.model
                messages += tier.describe(model, None, wish.at, wish.at) if model is not None else []
        return messages

    # --- a day

    def boundary(self, day: int) -> list[Message]:
        """Every tier learns one day, and what is due comes into force."""
        state = self.memory.state
        previous, state.learned = state.learned, day
        self.table.close(day)
        return [message for tier in list(self.tiers.values()) for message in tier.boundary(previous, day)]

    # --- orders

    def obey(self, order: control.Order, damage: str | None = None) -> list[Message]:
        """What a person ordered, once; the answer stands in the slot's state for whoever ordered it.

        `damage`: why the order's model cannot be read.
        """
        if self._known(order.request):
            return []
        if self.memory.activation is None:
            return self._answer(order.request, refusal("no definition is in force yet"))
        if damage is not None:
            why = f"the version that it names cannot be read ({damage}); what is in force stays"
            return self._answer(order.request, refusal(why))
        self.memory.state.partitions = order.partitions
        if order.kind in {"promote", "rollback"}:
            return self._answer(order.request, self._promote(order))
        meant = {name: tier for name, tier in self.tiers.items() if order.tier in (None, name)}
        if not meant:
            return self._answer(order.request, refusal(f"no tier is called {order.tier}: {', '.join(self.tiers)}"))
        answers = {
            name: tier.retrain(order) if order.kind == "retrain" else tier.hold(on=order.kind == "freeze", at=order.at)
            for name, tier in meant.items()
        }
        return self._answer(order.request, _together(answers))

    def _promote(self, order: control.Order) -> Answered:
        model = order.model
        if model is None or model.version > self.memory.state.versions:
            return refusal("there is no such version")
        if not model.intact:
            return refusal(f"version {model.version} does not match its checksum; what is in force stays")
        if model.tier not in self.tiers:
            return refusal(f"version {model.version} is of the tier {model.tier}, which there is no more")
        return self.tiers[model.tier].promote(order, model)

    def _known(self, request: str) -> bool:
        return any(one.id == request for one in self.memory.state.requests)

    def _answer(self, request: str, answered: Answered) -> list[Message]:
        state = self.memory.state
        answer = Request(request, answered.said, answered.refused, answered.number)
        state.requests = [*state.requests[1 - REQUESTS :], answer]
        return list(answered.messages)

    def _activate(self, activation: Activation, kind: Kind, tier: str) -> list[Message]:
        """Puts an activation, of which `tier` is what changed, in force here and in every events partition.

        The history gets it too.
        """
        self.dump()
        self.memory.activation = activation
        self.compile(activation)
        return [
            control.control(EVENTS, control.ACTIVATE, activation, partition)
            for partition in range(self.memory.state.partitions)
        ] + [activation_message(activation.of(tier), kind)]


def _together(answers: dict[str, Answered]) -> Answered:
    """What came of an order in several tiers; refused where it was in each."""
    if len(answers) == 1:
        return next(iter(answers.values()))
    said = "; ".join(f"{tier}: {answered.said}" for tier, answered in answers.items())
    messages = [message for answered in answers.values() for message in answered.messages]
    return Answered(said, messages, all(answered.refused for answered in answers.values()))


def _begins_anew(before: Definition, after: Definition) -> bool:
    """Whether what a learner knows is of no use under the changed rules."""
    return any(
        getattr(before.learning, rule) != getattr(after.learning, rule) for rule in ("k", "learner", "seed", "options")
    )
