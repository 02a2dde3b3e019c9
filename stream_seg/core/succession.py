"""From one activation to the next: a changed definition while the old model is still at work.

The model in force keeps labelling until one is learned on the new features. So the features that it needs and that
the new definition does not have (or has otherwise) are retained under names of their own.
"""

from __future__ import annotations

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.core.definition import Definition, Feature, feature_set_version


def succeed(current: Activation, definition: Definition, *, who: str, at: int, why: str) -> Activation:
    """The activation that puts `definition` in force after `current`, with the model of `current` still working."""
    following = msgspec.structs.replace(
        current,
        number=current.number + 1,
        definition=definition,
        feature_set_version=feature_set_version(definition),
        retained=(),
        aliases={},
        ramp="walk",
        who=who,
        at=at,
        why=why,
    )
    if current.model is None:
        return laid_out(current, following)
    columns = {current.aliases.get(name, name): name for name in current.model.columns}
    needed = _closure({column.partition("=")[0] for column in columns}, current.features)
    new = {feature.name: feature for feature in definition.features}
    renamed = {
        feature.name: f"{feature.name}~{current.number}"
        for feature in needed
        if _means(new.get(feature.name), new) != _means(feature, {f.name: f for f in current.features})
    }
    # A feature retained before bears its own name already, and keeps it.
    renamed = {old: old if "~" in old else later for old, later in renamed.items()}
    retained = tuple(_rename(feature, renamed) for feature in needed if feature.name in renamed)
    aliases = {
        name: renamed.get(column.partition("=")[0], column.partition("=")[0]) + "".join(column.partition("=")[1:])
        for column, name in columns.items()
    }
    aliases = {name: column for name, column in aliases.items() if name != column}
    return laid_out(current, msgspec.structs.replace(following, retained=retained, aliases=aliases))


def laid_out(current: Activation, following: Activation) -> Activation:
    """`following` with the layout that its features need: the one in use where they are the same."""
    same = following.features == current.features and following.feature_set_version == current.feature_set_version
    return msgspec.structs.replace(following, layout=current.layout if same else following.number)


def _closure(names: set[str], features: tuple[Feature, ...]) -> list[Feature]:
    """The named features and those that they are derived from, in their order."""
    wanted = set(names)
    for feature in reversed(features):
        if feature.name in wanted and feature.of is not None:
            wanted |= set(feature.of)
    return [feature for feature in features if feature.name in wanted]


def _means(feature: Feature | None, among: dict[str, Feature]) -> object:
    """Everything that gives a feature its values; two are the same measure when this is equal."""
    if feature is None:
        return None
    bare = msgspec.structs.replace(feature, words=None, role="feature")
    return (bare, tuple(_means(among[name], among) for name in feature.of or ()))


def _rename(feature: Feature, renamed: dict[str, str]) -> Feature:
    of = feature.of and (renamed.get(feature.of[0], feature.of[0]), renamed.get(feature.of[1], feature.of[1]))
    return msgspec.structs.replace(feature, name=renamed[feature.name], of=of)
