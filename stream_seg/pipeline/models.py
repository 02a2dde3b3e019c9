"""Which model versions there are and what each of them says. Read only, nothing decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.core.definition import BASE
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline.learn_state import Proposal
from stream_seg.pipeline.model_answers import (
    ActivationLine,
    ColumnScale,
    ModelAnswer,
    ModelsAnswer,
    NamedSegment,
    SegmentCentre,
    Standing,
    VersionLine,
)
from stream_seg.pipeline.queries import centre_in_real_units
from stream_seg.wire.activations import Activated
from stream_seg.wire.timestamps import rfc3339


@dataclass(frozen=True)
class Registered:
    """What is known of the versions.

    models    version -> itself; damaged: version -> what is wrong with its record
    history   what was in force, oldest first
    in_use    activations that customers are under, oldest first, and the one that LEARN made last
    proposals made and not in force yet, one of a tier at most
    frozen    tiers of which LEARN publishes nothing by itself; None: it has not run
    """

    models: Mapping[int, ModelVersion]
    damaged: Mapping[int, str]
    history: Sequence[Activated]
    in_use: Sequence[Activation]
    proposals: Sequence[Proposal]
    frozen: Sequence[str] | None

    @property
    def newest(self) -> Activation:
        """What is in force. Raises `Stop` where nothing is."""
        if not self.in_use:
            raise Stop(
                "nothing is in force yet: no worker has run; `stream-seg run` puts the first definition in force"
            )
        return max(self.in_use, key=lambda activation: activation.number)

    @property
    def tiers(self) -> Sequence[Activation]:
        """What is in force in each tier, ``all`` first."""
        return self.newest.each if self.in_use else ()

    def in_force(self, tier: str = BASE) -> ModelVersion | None:
        """The version that labels the customers of a tier."""
        return next((one.model for one in self.tiers if one.definition.tier == tier), None)

    def proposal(self, number: int) -> Proposal | None:
        """What is proposed under this number."""
        return next((one for one in self.proposals if one.model.version == number), None)

    def version(self, number: int) -> ModelVersion:
        """A version that can be used. Raises `Stop` where there is none, or none whose checksum holds."""
        if number in self.models:
            return self.models[number]
        if number in self.damaged:
            raise Stop(
                f"version {number} cannot be used: {self.damaged[number]}. What is in force stays; restore the models "
                "topic from a replica"
            )
        known = ", ".join(map(str, sorted(self.models))) or "none: the first comes once enough customers are known"
        raise Stop(f"there is no version {number}; there are {known}")

    def standing(self, number: int) -> Standing:
        if number in self.damaged:
            return "damaged"
        if any(one.model is not None and one.model.version == number for one in self.tiers):
            return "in force"
        proposal = self.proposal(number)
        if proposal is not None:
            return "announced" if proposal.from_ else "waiting"
        return "earlier"


def models_answer(known: Registered) -> ModelsAnswer:
    """Every version and the whole history, newest first."""
    numbers = sorted({*known.models, *known.damaged}, reverse=True)
    return ModelsAnswer(
        in_force=_number(known.in_force()),
        tiers={one.definition.tier: _number(one.model) for one in known.tiers},
        frozen=None if known.frozen is None else bool(known.frozen),
        frozen_tiers=list(known.frozen or ()),
        versions=[_line(known, number) for number in numbers],
        activations=[_entry(entry) for entry in reversed(known.history)],
        missing=(known.history[-1].number if known.history else 0) - len(known.history),
    )


def _number(model: ModelVersion | None) -> int | None:
    return model.version if model else None


def _line(known: Registered, number: int) -> VersionLine:
    model, standing = known.models.get(number), known.standing(number)
    proposal = known.proposal(number)
    return VersionLine(
        version=number,
        tier=model.tier if model else None,
        standing=standing,
        trained_at=rfc3339(model.trained_at) if model else None,
        samples=model.samples if model else None,
        learner=model.learner if model else None,
        feature_set_version=model.feature_set_version if model else None,
        segments=_segments(known, model) if model else [],
        moves=proposal.moves if proposal else None,
        active_from=rfc3339(proposal.from_) if proposal and proposal.from_ else None,
        why=known.damaged.get(number, proposal.why if proposal else None),
    )


def _segments(known: Registered, model: ModelVersion) -> list[NamedSegment]:
    return [NamedSegment(segment=number, name=named(known, model, number)) for number in model.alive]


def named(known: Registered, model: ModelVersion, segment: int) -> str:
    """What a segment of a version is called: as declared now, else as the version calls it."""
    if not known.in_use:
        return model.segments[segment]
    return msgspec.structs.replace(known.newest, model=model).name_of(segment)


def _entry(entry: Activated) -> ActivationLine:
    return ActivationLine(
        number=entry.number,
        tier=entry.tier,
        kind=entry.kind,
        model_version=entry.model_version,
        feature_set_version=entry.feature_set_version,
        ramp=entry.ramp,
        who=entry.who,
        at=entry.at,
        why=entry.why,
    )


def model_answer(known: Registered, number: int) -> ModelAnswer:
    """One version, its centres in the features' own units. Raises `Stop` where there is none."""
    model = known.version(number)
    under = activation_for(model, known.in_use)
    bounds = zip(model.columns, model.mean, model.scale, model.clip_low, model.clip_high, strict=True)
    return ModelAnswer(
        version=number,
        standing=known.standing(number),
        tier=model.tier,
        trained_at=rfc3339(model.trained_at),
        samples=model.samples,
        learner=model.learner,
        feature_set_version=model.feature_set_version,
        checksum=model.checksum,
        units="real" if under else "transformed",
        segments=[
            SegmentCentre(
                segment=segment,
                name=named(known, model, segment),
                centre=centre_in_real_units(under, segment) if under else _transformed(model, segment),
            )
            for segment in model.alive
        ],
        scaling=[ColumnScale(column=c, mean=m, scale=s, low=low, high=high) for c, m, s, low, high in bounds],
        activations=[_entry(entry) for entry in _came(known.history, model.tier, number)],
    )


def activation_for(model: ModelVersion, in_use: Sequence[Activation]) -> Activation | None:
    """An activation in use, with this version as its model, that knows what the version's columns are; None: none."""
    for activation in reversed(in_use):
        if activation.feature_set_version == model.feature_set_version:
            return msgspec.structs.replace(activation, model=model, aliases={}, tiers={})
    for activation in reversed(in_use):
        for tier in activation.each:
            if tier.model is not None and tier.model.feature_set_version == model.feature_set_version:
                return msgspec.structs.replace(tier, model=model)
    return None


def _transformed(model: ModelVersion, segment: int) -> dict[str, float]:
    at = zip(model.columns, model.centers[segment], model.mean, model.scale, strict=True)
    return {name: z * scale + mean for name, z, mean, scale in at}


def _came(history: Sequence[Activated], tier: str, number: int) -> list[Activated]:
    """The entries of its tier that put a version in force; not those that kept it."""
    found, before = [], None
    for entry in (entry for entry in history if entry.tier == tier):
        if entry.model_version == number != before:
            found.append(entry)
        before = entry.model_version
    return found
