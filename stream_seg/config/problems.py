"""Everything that is wrong with a configuration, gathered so that one run tells it all."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from stream_seg.errors import ConfigError

KeyPath: TypeAlias = tuple[str | int, ...]
Tell: TypeAlias = Callable[..., None]  # tell(path, text, *, key=False, offset=0)


class Problem(NamedTuple):
    """One mistake. `place` is ``line:column`` in the file, or the environment variable that brought the value."""

    line: int
    column: int
    variable: str
    key: str
    text: str


class Problems:
    """The mistakes found so far in one file (and in the environment that overrides it)."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Problem] = []

    def at(self, line: int, column: int, key: str, text: str) -> None:
        """A mistake at a place of the file; line 0: the file as a whole."""
        self._found.append(Problem(line, column, "", key, text))

    def in_variable(self, variable: str, key: str, text: str) -> None:
        """A mistake in an environment variable."""
        self._found.append(Problem(0, 0, variable, key, text))

    def __len__(self) -> int:
        return len(self._found)

    def lines(self) -> list[str]:
        """``file:line:col: key: what, remedy``, in the order of the file; the environment's after them."""
        return [self._line(one) for one in sorted(dict.fromkeys(self._found), key=lambda p: (p.variable, p[:2]))]

    def _line(self, one: Problem) -> str:
        if one.variable:
            where = f"environment {one.variable}"
        else:
            where = f"{self.file}:{one.line}:{one.column}" if one.line else self.file
        return ": ".join(part for part in (where, one.key, one.text) if part)

    def raise_if_any(self) -> None:
        """Raises `ConfigError` with all of them."""
        if self._found:
            raise ConfigError(self.lines())


def dotted(path: KeyPath) -> str:
    """The path as a person writes it.

    >>> dotted(("features", 2, "window"))
    'features[2].window'
    """
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(words).removeprefix(".")


def choose(given: object, known: Iterable[str]) -> str:
    """The remedy for a word that is not one of `known`: the nearest one, or all of them.

    >>> choose("decayed", ["count", "decayed_sum"])
    'did you mean `decayed_sum`?'
    >>> choose(7, ["count", "sum"])
    'use one of: count, sum'
    """
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1) if isinstance(given, str) else []
    return f"did you mean `{near[0]}`?" if near else f"use one of: {', '.join(names)}"
