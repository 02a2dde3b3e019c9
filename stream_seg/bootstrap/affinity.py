"""``stream-seg affinity``: what goes together, fitted on the customer table that the live feature code makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from stream_seg.adapters.files import Form
from stream_seg.bootstrap.exploring import study
from stream_seg.config import Config
from stream_seg.core.definition import Definition
from stream_seg.errors import ConfigError
from stream_seg.explore.affinity import fit, yaml_of
from stream_seg.progress import Tell


class Asked(NamedTuple):
    """prefix: of the features to fit on; components: how many projections; name: of those, before the number."""

    prefix: str
    components: int
    name: str


def parts_of(definition: Definition, asked: Asked) -> list[str]:
    """The features that are asked for. Raises `ConfigError` where they cannot be parts of a whole."""
    chosen = [feature for feature in definition.features if feature.name.startswith(asked.prefix)]
    names = [feature.name for feature in chosen]
    if len(names) < 2:
        known = ", ".join(feature.name for feature in definition.features)
        found = f"only `{names[0]}` begins" if names else "no feature begins"
        raise ConfigError([f"--of: {found} with `{asked.prefix}`, two are needed; there are {known}"])
    if wrong := [f.name for f in chosen if f.aggregate not in ("count", "sum", "decayed_sum")]:
        what = "are no amounts, and only amounts have shares: name them otherwise, or ask for a longer prefix"
        raise ConfigError([f"--of: {', '.join(wrong)} {what}"])
    if asked.components >= len(names):
        what = f"{len(names)} features have {len(names) - 1} directions at most, as their shares add up to one"
        raise ConfigError([f"--components: {what}; ask for fewer"])
    return names


def run_affinity(
    config: Config, inputs: Sequence[str], asked: Asked, *, form: Form | None, end: int | None, tell: Tell
) -> dict[str, Any]:
    """Fits the projections on files, as of `end` (ms; None: the last day)."""
    names = parts_of(config.definition, asked)
    table = study(config, inputs, form=form, end=end, tell=tell).table
    found = fit(
        np.stack([table.values(name) for name in names], axis=1), names, asked.components, prefix=asked.prefix
    )  # fmt: skip
    day = f"{datetime.fromtimestamp(table.at / 1000, UTC):%Y-%m-%d}"
    return {
        "as_of": day,
        "customers": found.customers,
        "version": found.version,
        "of": list(found.of),
        "projections": [
            {"name": f"{asked.name}_{n}", **msgspec.to_builtins(one._asdict())}
            for n, one in enumerate(found.projections, 1)
        ],
        "yaml": yaml_of(found, asked.name, day),
    }
