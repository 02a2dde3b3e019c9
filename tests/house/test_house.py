"""The house rules that no linter knows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from tokenize import COMMENT, tokenize

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8")
EXCEPTION = re.compile(r"# ?(noqa|type: ?ignore|ruff: ?noqa|mypy: ?[\w-]+)(\[[\w, -]+\]|: ?[A-Z]+\d+(, ?[A-Z]+\d+)*)?")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def declared() -> list[Requirement]:
    project = tomllib.loads(PYPROJECT)
    lines = [
        *project["project"]["dependencies"],
        *[line for extra in project["project"]["optional-dependencies"].values() for line in extra],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    return [
        requirement for requirement in map(Requirement, lines) if canonicalize_name(requirement.name) != "stream-seg"
    ]


def test_every_declared_dependency_is_pinned_to_a_version_that_it_allows() -> None:
    pins = {
        canonicalize_name(name): version for name, version in re.findall(r"^(\S+)==(\S+)", CONSTRAINTS, re.MULTILINE)
    }
    wrong = [
        str(requirement)
        for requirement in declared()
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]
    assert wrong == []


def test_pins_are_names_versions_and_hashes_and_nothing_else() -> None:
    pin = re.compile(r"[a-z0-9-]+==\S+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|# .*")
    assert [line for line in CONSTRAINTS.splitlines() if not pin.fullmatch(line)] == []
    assert "://" not in CONSTRAINTS


def test_every_lint_rule_that_is_switched_off_has_its_reason_beside_it() -> None:
    rules = re.findall(r'^    "[A-Z]+[0-9]*",(.*)$', PYPROJECT, re.MULTILINE)
    assert len(rules) > 30
    assert [rest for rest in rules if not re.match(r" *# \S", rest)] == []


def test_every_type_check_that_is_loosened_has_its_reason_above_it() -> None:
    overrides = re.findall(r"^\[\[tool\.mypy\.overrides\]\]\n(.*)$", PYPROJECT, re.MULTILINE)
    assert overrides
    assert [line for line in overrides if not line.startswith("# ")] == []


def exceptions() -> Iterator[tuple[str, str]]:
    """Every comment that switches a check off, with its place."""
    for folder in ("stream_seg", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            with path.open("rb") as file:
                for token in tokenize(file.readline):
                    if token.type == COMMENT and EXCEPTION.search(token.string):
                        yield f"{path.relative_to(ROOT)}:{token.start[0]}", token.string


def test_every_check_that_a_line_switches_off_has_its_reason_beside_it() -> None:
    found = dict(exceptions())
    assert len(found) > 50
    assert [f"{place} {said}" for place, said in found.items() if not re.search(r"\w", EXCEPTION.sub("", said))] == []


def test_every_target_of_the_makefile_explains_itself_and_sets_up_what_it_needs() -> None:
    targets = re.findall(r"^([a-z]+):(.*)$", MAKEFILE, re.MULTILINE)
    assert {name for name, _ in targets} >= {
        "setup",
        "test",
        "lint",
        "types",
        "demo",
        "bench",
        "quality",
        "simulate",
        "doctest",
        "clean",
    }
    assert [name for name, rest in targets if " ## " not in rest] == []
    alone = {"help", "lock", "clean"}
    assert [
        name for name, rest in targets if name not in alone and not rest.startswith((" $(READY)", " $(KERNELS)"))
    ] == []
    assert re.search(r"^\$\(KERNELS\): \$\(READY\)", MAKEFILE, re.MULTILINE)


def test_the_installed_package_offers_its_transport_to_faust() -> None:
    (transport,) = entry_points(group="faust.transports", name="kafkabatch")
    assert transport.load().__module__ == "stream_seg.adapters.kafka.transport"
