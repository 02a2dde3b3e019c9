"""The way back where Redis is empty and the logs forgot what was in force: the file's definition, the last versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.bootstrap.connect import broker_of, now
from stream_seg.bootstrap.models import registered
from stream_seg.config import Config
from stream_seg.core.activation import Activation, Own
from stream_seg.core.definition import Definition, feature_set_version
from stream_seg.errors import StateLost
from stream_seg.pipeline.models import Registered
from stream_seg.wire.activations import Activated


@dataclass(frozen=True)
class Restored:
    """What takes the place of what was in force, and in words how the two differ."""

    activation: Activation
    said: list[str] = field(default_factory=list)


async def restored(config: Config, *, who: str, why: str) -> Restored:
    """The activation that goes on from the history. Raises `StateLost` where a consumer group still has progress."""
    await _check_groups(config)
    return succession(config.definition, await registered(config), who=who, at=now(), why=why)


def succession(definition: Definition, known: Registered, *, who: str, at: int, why: str) -> Restored:
    """The next activation by the history: the file's definition, in each tier the version that was in force last."""
    last, version = known.history[-1], feature_set_version(definition)
    activation = Activation(
        number=last.number + 1,
        layout=last.number + 1,
        definition=definition,
        feature_set_version=version,
        versions=max([*known.models, *known.damaged], default=0),
        free=max((model.k for model in known.models.values()), default=0),
        who=who,
        at=at,
        why=why,
    )
    said = [f"the logs hold no activation any more, and the last one was {last.number}: the definition of the file"]
    for tier in [one.definition.tier for one in activation.each]:
        number = _number(known.history, tier)
        if number is None:
            continue
        model, fault = known.models.get(number), known.damaged.get(number, "the topic of models does not have it")
        if model is not None and model.feature_set_version == version:
            activation = activation.having(tier, Own(model=model))
            said.append(f"tier {tier}: version {number} labels again")
            continue
        fault = "it was learned on other features" if model is not None else fault
        said.append(f"tier {tier}: not version {number} ({fault}); nobody is labelled before another is learned")
    return Restored(activation, said)


def _number(history: Sequence[Activated], tier: str) -> int | None:
    """The version that was in force last in a tier."""
    return next((one.model_version for one in reversed(history) if one.tier == tier and one.model_version), None)


async def _check_groups(config: Config) -> None:
    """Whoever has a group's progress may be at work, on another Redis: nothing is written beside it."""
    name = config.definition.name
    async with Admin(broker_of(config.kafka)) as admin:
        for stage, log in (("label", "events"), ("learn", "samples")):
            group, topic = group_name(name, stage), topic_name(name, log)
            committed = await admin.committed(group, [topic])
            firsts = await admin.firsts(committed.keys())
            if any(committed[tp] > firsts[tp] for tp in committed):
                raise StateLost(
                    f"the consumer group {group} has read {topic}, but Redis holds no state for it. Look first whether "
                    "redis.url is right. To build the state anew from what the logs still hold, end the workers and "
                    f"reset the group: kafka-consumer-groups --bootstrap-server {','.join(config.kafka.bootstrap)} "
                    f"--reset-offsets --to-earliest --group {group} --topic {topic} --execute"
                )
