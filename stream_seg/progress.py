"""How long work says how far it is: a callable that the command line gives and everything below it calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Tell: TypeAlias = "Callable[[str, int, int | None], None]"
"""What is being done, how much of it, and of how much (None: nobody knows)."""
