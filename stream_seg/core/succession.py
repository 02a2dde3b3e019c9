"""From one activation to the next: a changed definition while the old model is still at work.

The model in force keeps labelling until one is learned on the new features. So the features that it needs and that
the new definition does not have (or has otherwise) are retained under names of their own. Each tier has a model.
"""

from __future__ import annotations

import msgspec

from stream_seg.core.activation import ENGINE, Activation, Fill, Own
from stream_seg.core.definition import Definition, Feature, feature_set_version


def succeed(
    current: Activation, definition: Definition, *, who: str, at: int, why: str, fill: Fill | None = None
) -> Activation:
    """The activation that puts `definition` in force after `current`, with the model of `current` still working.

    From there on the log is decided by this version's engine, so older workers must not go on.
    """
    names = {tier.name for tier in definition.tiers}
    following = msgspec.structs.replace(
        current,
        number=current.number + 1,
        engine=max(current.engine, ENGINE),
        definition=definition,
        feature_set_version=feature_set_version(definition),
        tiers={tier: own for tier, own in current.tiers.items() if tier in names},
        retained=(),
        aliases={},
        fill=fill,
        ramp="walk",
        who=who,
        at=at,
        why=why,
    )
    columns = {
        tier.definition.tier: {name: _own_name(tier, name) for name in tier.model.columns}
        for tier in current.each
        if tier.model is not None
    }
    wanted = {column.partition("=")[0] for of_tier in columns.values() for column in of_tier.values()}
    needed = _closure(wanted, current.features)
    before, after = _by_name(current.features), _by_name(definition.features)
    renamed = {
        feature.name: f"{feature.name}~{current.number}"
        for feature in needed
        if feature.name not in after or meaning(after[feature.name], after) != meaning(feature, before)
    }
    # A feature retained before bears its own name already, and keeps it.
    renamed = {old: old if "~" in old else later for old, later in renamed.items()}
    retained = tuple(_rename(feature, renamed) for feature in needed if feature.name in renamed)
    following = msgspec.structs.replace(following, retained=retained)
    for tier in following.each:
        name = tier.definition.tier
        aliases = {name: _renamed_column(column, renamed) for name, column in columns.get(name, {}).items()}
        aliases = {name: column for name, column in aliases.items() if name != column}
        if tier.model is not None:
            following = following.having(name, Own(model=tier.model, aliases=aliases))
    return laid_out(current, following)


def columns_in(newest: Activation, activation: Activation) -> dict[str, str] | None:
    """Each column of an activation's model as the newest features name it; None where one is not measured any more.

    By what is measured, not by name: a name may have been given to something else since.
    """
    assert activation.model is not None
    old, new = _by_name(activation.features), _by_name(newest.features)
    columns = {column: _own_name(activation, column) for column in activation.model.columns}
    names: dict[str, str] = {}
    for name in dict.fromkeys(column.partition("=")[0] for column in columns.values()):
        same = [f.name for f in newest.features if name in old and meaning(f, new) == meaning(old[name], old)]
        # Of several that measure the same, each stands for one; its own name first.
        free = [other for other in sorted(same, key=lambda other: other != name) if other not in names.values()]
        if not free:
            return None
        names[name] = free[0]
    return {column: _renamed_column(own, names) for column, own in columns.items()}


def meaning(feature: Feature, among: dict[str, Feature]) -> object:
    """Everything that gives a feature its values, whatever it is called; `among` holds those it is derived from."""
    bare = msgspec.structs.replace(feature, name="", words=None, role="feature", of=None)
    return (bare, *(meaning(among[name], among) for name in feature.of or ()))


def _own_name(activation: Activation, column: str) -> str:
    """What an activation's own features call a column of its model."""
    assert activation.model is not None
    own = activation.model.feature_set_version == activation.feature_set_version
    return column if own else activation.aliases.get(column, column)


def _by_name(features: tuple[Feature, ...]) -> dict[str, Feature]:
    return {feature.name: feature for feature in features}


def _renamed_column(column: str, renamed: dict[str, str]) -> str:
    feature, equals, part = column.partition("=")
    return renamed.get(feature, feature) + equals + part


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


def _rename(feature: Feature, renamed: dict[str, str]) -> Feature:
    of = feature.of and tuple(renamed.get(name, name) for name in feature.of)
    return msgspec.structs.replace(feature, name=renamed[feature.name], of=of)
