"""DuckDB, held within bounds: so much memory, two threads, and a folder to spill into that goes when it is closed."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

MEMORY = "1GB"  # what DuckDB keeps; Python, the libraries and buffers outside of it come on top: 2 GB in all
WIDE_MEMORY = "4GB"  # thousands of columns: each needs buffers, however few rows there are
THREADS = 2
LINE = 16_000_000  # bytes of one line of a file at most
LOOK = 0.2  # seconds between two looks at how far a statement is; Ctrl-C is heard as often


class Database:
    """One connection and its folder. Statements run beside, so that Ctrl-C is heard while they do."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stream-seg-audit-"))
        self._connection = duckdb.connect(
            str(self.folder / "rows.duckdb"),
            config={
                "memory_limit": MEMORY,
                "threads": THREADS,
                "temp_directory": str(self.folder / "spilled"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": True,  # a row's number is its place in the file
            },
        )
        self.run("SET TimeZone = 'UTC'; SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        self.run("PRAGMA disable_checkpoint_on_shutdown")  # the file goes anyway
        self.error: type[Exception] = duckdb.Error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        with suppress(OSError):
            shutil.rmtree(self.folder)

    def widen(self) -> None:
        """For thousands of columns."""
        self.run(f"SET memory_limit = '{WIDE_MEMORY}'")
        self.run("SET threads = 1")

    def run(
        self, sql: str, given: Sequence[Any] = (), tell: Callable[[float], None] | None = None
    ) -> list[tuple[Any, ...]]:
        """All rows of a statement. `tell` hears how far it is, in percent."""
        done = threading.Event()
        rows: list[tuple[Any, ...]] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                rows.extend(self._connection.execute(sql, list(given)).fetchall())
            except BaseException as error:  # noqa: BLE001  # raised again below, where somebody waits
                failed.append(error)
            finally:
                done.set()

        try:
            threading.Thread(target=work, daemon=True).start()
            while not done.wait(LOOK):
                if tell is not None:
                    tell(max(self._connection.query_progress(), 0.0))
        except KeyboardInterrupt:
            self._connection.interrupt()
            done.wait()
            raise
        if failed:
            raise failed[0]
        return rows

    def one(self, sql: str, given: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The only row of a statement."""
        (row,) = self.run(sql, given)
        return row


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
