"""The pages of the project, and what tests look for in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from stream_seg.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "examples/subscriber/README.md",
]
GENERATED = {"cli.md"}  # what it shows is what the commands say


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def understood(words: list[str]) -> None:
    """Parses a command line as the command line does, without running it. Raises what a mistake raises."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("stream-seg", list(words[:1]), resilient_parsing=True)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
        context = command.make_context(name, list(words[:1] if hasattr(command, "commands") else words), context)


def mistake(words: list[str]) -> str | None:
    """The kind of mistake in a command line; None: it is right."""
    try:
        understood(words)
    except (KeyError, typer.exceptions.TyperException) as error:
        return type(error).__name__
    return None


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """The command lines of a program on a page: lines of code that begin with it, and `code` in sentences."""
    if page.name in GENERATED:
        return
    lines = re.findall(rf"^(?:    |\$ )?({program} .*)$", text_of(page), re.MULTILINE)
    lines += re.findall(rf"`({program} [^`\n]*)`", text_of(page))
    for line in lines:
        words = shlex.split(re.split(r" {2,}| [|>] |;", line)[0], comments=True)
        yield words[1:]


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
