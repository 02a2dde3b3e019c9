"""An activation: everything that decides, put in force at one place of each log."""

from __future__ import annotations

from typing import Literal

import msgspec

from stream_seg.core.definition import Definition, Feature
from stream_seg.core.model import ModelVersion

ENGINE = 1  # raised when the same log would be decided differently than before


class Activation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What LABEL works by from this record on: no file and no clock of a worker decides anything.

    number    grows by one; a lower number that arrives late is ignored
    layout    number of the activation that brought today's features: records and samples are laid out by it
    engine    the least engine that can decide this log
    model     None until the first one is learned
    retained  features of an earlier definition that a model in use still needs, under names of their own
    aliases   column of such a model -> column of the plan, where a retained feature bears another name; a model of
              this very feature set is not concerned
    ramp      walk: known customers adopt it at their next daily visit; now: all of them at once
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
    ramp: Literal["walk", "now"] = "walk"
    who: str
    at: int
    why: str

    @property
    def features(self) -> tuple[Feature, ...]:
        """Everything that records must hold while this activation is in force."""
        return self.definition.features + self.retained

    def name_of(self, segment: int) -> str:
        """What to call a segment: as people declared, else by the model; by its number where there is no such one."""
        for lever in self.definition.levers:
            if lever.segment == segment and lever.name:
                return lever.name
        named = self.model.segments if self.model else ()
        return (named[segment] if 0 <= segment < len(named) else "") or f"segment {segment}"
