"""What a command says: its result on stdout, everything else on stderr."""

import json as json_module
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from stream_seg.progress import Tell

OK, FAILED, USAGE, FINDINGS, INTERRUPTED = 0, 1, 2, 3, 130  # exit codes


class Output:
    """With ``--json`` stdout gets exactly one JSON document, without it text; notes and progress go to stderr."""

    def __init__(self, *, json: bool) -> None:
        self.json = json

    def result(self, document: Mapping[str, Any], text: str) -> None:
        """The one result of a command, in both forms."""
        print(json_module.dumps(document, ensure_ascii=False, indent=2) if self.json else text)

    @staticmethod
    def note(text: str) -> None:
        """Something for the person watching."""
        print(text, file=sys.stderr)

    @contextmanager
    def progress(self) -> Iterator[Tell]:
        """A callable that shows how far long work is: a bar on a terminal, one line per phase elsewhere."""
        if not sys.stderr.isatty():
            yield _phases()
            return
        from rich.console import Console  # noqa: PLC0415  # costs a tenth of a second, and only bars need it
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415  # as above

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            tasks: dict[str, Any] = {}

            def tell(what: str, done: int, total: int | None) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done, total=None if total is None else max(total, done))

            yield tell


def _phases() -> Tell:
    seen: set[str] = set()

    def tell(what: str, _: int, total: int | None) -> None:
        if what not in seen:
            seen.add(what)
            print(what if total is None else f"{what} ({total:,})", file=sys.stderr)

    return tell


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows as aligned columns; those numbered in `right` are aligned to the right.

    >>> print(table([("segment", "size"), ("Regulars", "1,204")], right=[1]))
    segment    size
    Regulars  1,204
    """
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def span(seconds: float) -> str:
    """A length of time as people say it, in its largest unit.

    >>> span(1_036_800), span(90_000.0), span(59), span(0.0)
    ('12d', '25h', '59s', '0s')
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f}{unit}"
    return f"{seconds:.0f}s"


NOTHING = 1e-9


def amount(value: float | str | None) -> str:
    """A value as people read it.

    >>> amount(1234.5), amount(0.0123), amount(3.0), amount(None), amount("plus")
    ('1,234.5', '0.0123', '3', '–', 'plus')
    >>> amount(3.3e-15)  # a sum from which everything was taken away again
    '0'
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if abs(value) < NOTHING:
        return "0"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
