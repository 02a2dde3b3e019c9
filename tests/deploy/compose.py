"""docker-compose.yml as a container engine would read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")


def document(env: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in: ``${NAME:-default}``."""
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: env.get(found[1], found[2]), TEXT)
    loaded: dict[str, Any] = YAML(typ="safe").load(filled)
    return loaded


SERVICES: dict[str, dict[str, Any]] = document({})["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("stream-seg")}


def mounts(service: Mapping[str, Any]) -> dict[str, Path]:
    """What of the repository a container sees, by the place where it sees it."""
    triples = [mount.split(":") for mount in service.get("volumes", ()) if mount.startswith(".")]
    assert all(parts[2:] == ["ro"] for parts in triples)
    return {inside: ROOT / outside for outside, inside, _ in triples}


def options(words: list[str]) -> dict[str, str]:
    """``--name value --name value``."""
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
