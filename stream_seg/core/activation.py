"""An activation: everything that decides, put in force at one place of each log."""

from __future__ import annotations

from typing import Literal

import msgspec

from stream_seg.core.definition import Definition, Feature, feature_set_version
from stream_seg.core.model import ModelVersion

ENGINE = 1  # raised when the same log would be decided differently than before


class Fill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New features of an activation begin with what the log still holds, not empty.

    offsets  of each events partition, where its log began when it was read again
    since    ms: the clock had come so far there in every one of them; what was before is not in the features
    """

    offsets: tuple[int, ...]
    since: int


class Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tier has by itself; the fields are those of an `Activation`."""

    model: ModelVersion | None = None
    aliases: dict[str, str] = {}


class Activation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What LABEL works by from this record on: no file and no clock of a worker decides anything.

    number    grows by one; a lower number that arrives late is ignored
    layout    number of the activation that brought today's features: records and samples are laid out by it
    engine    the least engine that can decide this log
    model     of the customers whom no rule puts into a tier; None until the first one is learned
    tiers     what each of the other tiers has instead; one without an entry has no model yet
    retained  features of an earlier definition that a model in use still needs, under names of their own
    aliases   column of such a model -> column of the plan, where a retained feature bears another name; a model of
              this very feature set is not concerned
    fill      the features that the activation before did not have are backfilled (`stream_seg.pipeline.filling`)
    ramp      walk: known customers adopt it at their next daily visit; now: all of them at once
    versions, free  the numbers that LEARN had given to versions and segments when it last began again without its
              state (see `LearnState`); 0: it never did
    who, why  for the record; `at`: ms
    """

    number: int
    layout: int = 1
    engine: int = ENGINE
    definition: Definition
    feature_set_version: str
    model: ModelVersion | None = None
    retained: tuple[Feature, ...] = ()
    aliases: dict[str, str] = {}
    tiers: dict[str, Own] = {}
    fill: Fill | None = None
    ramp: Literal["walk", "now"] = "walk"
    versions: int = 0
    free: int = 0
    who: str
    at: int
    why: str

    @property
    def features(self) -> tuple[Feature, ...]:
        """Everything that records must hold while this activation is in force."""
        return self.definition.features + self.retained

    def of(self, tier: str) -> Activation:
        """The same as one tier has it: its model, its definition."""
        if tier == self.definition.tier:
            return self
        own = self.tiers.get(tier, Own())
        return msgspec.structs.replace(
            self, definition=self.definition.of(tier), model=own.model, aliases=own.aliases, tiers={}
        )

    @property
    def each(self) -> list[Activation]:
        """As every tier has it, ``all`` first."""
        return [self.of(tier) for tier in (self.definition.tier, *(tier.name for tier in self.definition.tiers))]

    def having(self, tier: str, own: Own) -> Activation:
        """The same with another model, or other aliases, in one tier."""
        if tier == self.definition.tier:
            return msgspec.structs.replace(self, model=own.model, aliases=own.aliases)
        return msgspec.structs.replace(self, tiers={**self.tiers, tier: own})

    @property
    def alive(self) -> tuple[int, ...]:
        """The numbers of this tier's segments."""
        return self.model.alive if self.model else ()

    def name_of(self, segment: int) -> str:
        """What to call a segment of this tier: as people declared, else by the model, else by its number."""
        for lever in self.definition.levers:
            if lever.segment == segment and lever.name:
                return lever.name
        named = self.model.segments if self.model else ()
        return (named[segment] if 0 <= segment < len(named) else "") or f"segment {segment}"


def first_activation(definition: Definition, model: ModelVersion | None, *, who: str, at: int, why: str) -> Activation:
    """With what a log begins: a definition and, if it was given one, the version that its customers are labelled by."""
    version = feature_set_version(definition)
    return Activation(
        number=1, definition=definition, feature_set_version=version, model=model, who=who, at=at, why=why
    )
