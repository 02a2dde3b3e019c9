"""Finds the data files that packages carry, without importing the packages (one would import pandas)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from stream_seg.errors import ConfigError

HERE = Path(__file__).parent
DAY_MS = 86_400_000


def data_file(module: str, distribution: str, path: str) -> Path:
    """A file inside an installed package. Raises `ConfigError` with the remedy where it is not there."""
    spec = find_spec(module)
    found = None if spec is None or spec.origin is None else Path(spec.origin).parent / path
    if found is None or not found.exists():
        remedy = "pip install 'stream_seg[demo]'"
        raise ConfigError([f"demo: the package {distribution} with its {path} is not installed: {remedy}"])
    return found
