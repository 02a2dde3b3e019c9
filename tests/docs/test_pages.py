"""What the pages say is so: paths, links, commands, messages, figures."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_seg.config.environment import PREFIX, RESERVED, variables
from tests.docs.pages import PAGES, ROOT, anchors, commands, mistake, text_of

ARCHITECTURE = ROOT / "docs/architecture.md"
IDS = [page.name for page in PAGES]
PLACES = re.compile(r"`((?:stream_seg|tests|benchmarks|schemas|docs|deploy|examples)/[^`\s]*|docker-compose\.yml)`")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_path_on_a_page_exists(page: Path) -> None:
    named = set(PLACES.findall(text_of(page)))
    assert [name for name in sorted(named) if not re.search(r"[<…*]", name) and not (ROOT / name).exists()] == []


def test_the_way_of_one_event_names_a_file_for_each_step() -> None:
    rows = re.findall(r"^\| \d+ \|.*\| ([^|]*) \|$", text_of(ARCHITECTURE), re.MULTILINE)
    assert len(rows) >= 12
    assert [row for row in rows if not PLACES.search(row)] == []


def test_the_files_that_may_meet_river_are_those_that_do_and_those_that_the_import_rules_allow() -> None:
    sentence = re.search(r"river is met in (.*?) alone", text_of(ARCHITECTURE), re.DOTALL)
    assert sentence is not None
    named = set(PLACES.findall(sentence[1]))
    imports = re.compile(r"^\s*(from|import) river\b", re.MULTILINE)
    files = [path for path in (ROOT / "stream_seg").rglob("*.py") if imports.search(text_of(path))]
    assert named == {path.relative_to(ROOT).as_posix() for path in files}
    allowed = re.findall(r"^ {4}(stream_seg[\w.]*) -> river$", text_of(ROOT / ".importlinter"), re.MULTILINE)
    assert named == {name.replace(".", "/") + ".py" for name in allowed}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text_of(page)):
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_on_a_page_is_one_of_the_command_line(page: Path) -> None:
    wrong = []
    for words in commands(page, "stream-seg"):
        found = mistake([re.sub(r"[<>]", "", word) for word in words])
        # A sentence may name a command without what it needs: `stream-seg apply`.
        if found is not None and not (found == "MissingParameter" and len(words) <= 2):
            wrong.append((" ".join(words), found))
    assert wrong == []


def test_the_pages_do_name_commands() -> None:
    assert len([words for page in PAGES for words in commands(page, "stream-seg")]) > 25


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_make_target_on_a_page_is_one_of_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {words[0] for words in commands(page, "make") if words and re.fullmatch("[a-z]+", words[0])}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_variable_on_a_page_is_read_by_something(page: Path) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z][A-Z_]*[A-Z]", text_of(page)))
    assert named <= {*variables(), *RESERVED}


def said() -> Iterator[str]:
    """Every text that the package could say: its literals, without docstrings; a NUL where an f-string fills in."""
    for path in sorted((ROOT / "stream_seg").rglob("*.py")):
        tree = ast.parse(text_of(path))
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings among them
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)


def messages_of(page: str) -> list[str]:
    """The first column of the table of remedies."""
    table = page.partition("| message | what happened | what to do |")[2].partition("\n\n")[0]
    return [message for row in table.splitlines()[2:] for message in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_every_message_in_the_table_of_remedies_is_one_that_the_package_says() -> None:
    messages = messages_of(text_of(ROOT / "docs/operating.md"))
    assert len(messages) >= 15
    texts = list(said())
    unsaid = []
    for message in messages:
        pieces = [piece.strip() for piece in message.split("…") if len(piece.strip()) > 3]
        if not any(all(piece in text for piece in pieces) for text in texts):
            unsaid.append(message)
    assert unsaid == []


def test_the_promise_of_the_readme_is_the_whole_promise() -> None:
    page = " ".join(text_of(ROOT / "README.md").split())
    assert (
        "Every accepted event affects its customer's features exactly once, as long as Redis keeps state together with "
        "its offsets and Kafka's retention covers the rewind. Movements are at-least-once with stable ids." in page
    )
