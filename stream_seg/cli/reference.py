"""docs/cli.md, made from the commands' own help: ``python -m stream_seg.cli.reference > docs/cli.md``."""

from collections.abc import Iterator
from typing import Any

import typer

from stream_seg.cli.app import app

_HEAD = """\
# Command line

This page is made of `--help` by `python -m stream_seg.cli.reference`; a test compares them.

| exit code | meaning |
|---|---|
| 0 | fine |
| 1 | it failed: a server does not answer, nobody of that id, no such version, LEARN refuses an order, Ctrl-C |
| 2 | wrong usage, or a mistake in the configuration |
| 3 | it worked and found something to look at (`doctor`, `model reproduce`, `audit`) |

With `--json` a command prints exactly one JSON document on stdout: its result, or `{"error": {"kind", "message"}}`
(with `problems`, one line each, for a configuration). Everything else goes to stderr.
"""


def helps() -> Iterator[tuple[str, str]]:
    """Every command's full name and its help, 100 columns wide."""
    yield from _helps(typer.main.get_command(app), "stream-seg", None)


def _helps(command: Any, name: str, parent: typer.Context | None) -> Iterator[tuple[str, str]]:
    context = typer.Context(command, info_name=name, parent=parent, terminal_width=100)
    yield context.command_path, command.get_help(context).rstrip()
    for inner, below in getattr(command, "commands", {}).items():
        yield from _helps(below, inner, context)


def reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(f"## `{name}`\n\n```text\n{text}\n```\n" for name, text in helps())])


if __name__ == "__main__":
    print(reference(), end="")
