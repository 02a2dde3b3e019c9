"""What an audit finds: how bad, what, by which figures and rows, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["severe", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("severe", "warning", "note")
EXAMPLES = 3  # so many rows are shown: enough to look them up, few enough to read


@dataclass(frozen=True, slots=True)
class Example:
    """One row as evidence. `row` counts from 1 within `file`, without the header; of a topic it is the offset."""

    file: str
    row: int
    value: str

    def document(self) -> dict[str, Any]:
        return {"file": self.file, "row": self.row, "value": self.value}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    severity  severe: figures over it would be wrong, or rows are lost; warning: probably so; note: good to know
    check     a stable short word; columns: the names that it is about; table: which input
    what      one sentence; remedy: what to do
    figures   the numbers behind the sentence
    """

    severity: Severity
    check: str
    what: str
    remedy: str
    columns: tuple[str, ...] = ()
    table: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    examples: Sequence[Example] = ()

    def document(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "check": self.check,
            "table": self.table,
            "columns": list(self.columns),
            "what": self.what,
            "evidence": {**self.figures, "examples": [one.document() for one in self.examples]},
            "remedy": self.remedy,
        }


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; among equals in the order in which they were looked for."""
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))


def share(part: float, whole: float) -> str:
    """A share as people say it; what is not nothing is never called 0 %.

    >>> share(1, 3), share(1, 1_000_000), share(0, 7), share(999_999, 1_000_000)
    ('33.3 %', '0.0001 %', '0 %', '99.9999 %')
    """
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    distance = min(percent, 100 - percent) or 100.0
    digits = 1 if distance >= 0.05 else 2 if distance >= 0.005 else 4
    return f"{percent:.{digits}f}".rstrip("0").rstrip(".") + " %"
