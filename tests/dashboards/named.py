"""What the committed dashboards and rules name: expressions, metrics, runbooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from deploy.dashboards.panels import DOCS
from stream_seg.adapters.prometheus.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((ROOT / "deploy/prometheus/tests").glob("*.yml"))
RUNBOOKS = ROOT / "docs/runbooks"
OURS = re.compile(r"\bstream_seg[_:][a-zA-Z0-9_:]+")
OTHERS = re.compile(r"\b(?:process_[a-z_]+|up)\b(?!\s*[=(])")
KNOWN_OTHERS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}
SELECTOR = re.compile(r"\b(?:stream_seg[_:][\w:]+|process_\w+|up(?=\{))(?:\{[^}]*\})?")
PARTS = ("_bucket", "_sum", "_count")


class Expression(NamedTuple):
    """One expression and where it stands; `labels`: those of its series that its legend names."""

    place: str
    expr: str
    labels: tuple[str, ...] = ()


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """All panels but rows, those inside of rows too."""
    found: list[dict[str, Any]] = []
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            found += panel.get("panels", [])
        else:
            found.append(panel)
    return found


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in DASHBOARDS]


def of_panels() -> Iterator[Expression]:
    for dashboard in dashboards():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
                yield Expression(f"{dashboard['title']} / {panel['title']}", target["expr"], tuple(labels))


def of_variables() -> Iterator[Expression]:
    for dashboard in dashboards():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                query = variable["query"]
                yield Expression(
                    f"{dashboard['title']} ${variable['name']}", query if isinstance(query, str) else query["query"]
                )


def of_marks() -> Iterator[Expression]:
    for dashboard in dashboards():
        for mark in dashboard["annotations"].get("list", []):
            if "expr" in mark:
                yield Expression(f"{dashboard['title']} / {mark['name']}", mark["expr"])


def of_choices() -> Iterator[Expression]:
    """What each variable has to choose from, as series."""
    for one in of_variables():
        metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", one.expr).groups()  # type: ignore[union-attr]  # the only form; another fails here
        yield Expression(one.place, f'{metric}{{{label}!=""}}')


def rules() -> list[dict[str, Any]]:
    """Recording and alerting rules."""
    read = YAML(typ="safe")
    return [rule for path in RULES for group in read.load(path.read_text("utf-8"))["groups"] for rule in group["rules"]]


def of_rules() -> Iterator[Expression]:
    for rule in rules():
        yield Expression(rule.get("record") or rule["alert"], rule["expr"])


def of_recorded() -> Iterator[Expression]:
    for rule in rules():
        if "record" in rule:
            yield Expression(rule["record"], rule["record"])


def read_by_rules() -> Iterator[Expression]:
    """Every selector of every rule, and what each alert compares: under a label that nobody makes it is for nobody."""
    for one in of_rules():
        yield from (Expression(one.place, selector) for selector in SELECTOR.findall(one.expr))
    for rule in rules():
        if "alert" in rule and "absent(" not in rule["expr"]:
            compared = re.split(r" (?:==|>=|>)\s", " ".join(rule["expr"].split()), maxsplit=1)[0]
            yield Expression(rule["alert"], compared)


def metrics_in(expressions: Sequence[Expression]) -> set[str]:
    """Names of metrics and of recorded series."""
    return {name for one in expressions for name in (*OURS.findall(one.expr), *OTHERS.findall(one.expr))}


def missing(names: set[str]) -> list[str]:
    """Those that nobody makes."""
    known = (
        {one.full_name for one in CATALOGUE} | KNOWN_OTHERS | {rule["record"] for rule in rules() if "record" in rule}
    )
    known |= {one.full_name + part for one in CATALOGUE if one.kind == "histogram" for part in PARTS}
    return sorted(names - known)


def everything() -> list[Expression]:
    return [*of_panels(), *of_variables(), *of_marks(), *of_rules()]


def without_runbook() -> list[str]:
    """Alerts whose page is not there."""
    found = []
    for rule in rules():
        if "alert" in rule:
            url = rule.get("annotations", {}).get("runbook_url", "")
            if not url.startswith(f"{DOCS}/runbooks/") or not page_of(url).is_file():
                found.append(rule["alert"])
    return found


def page_of(url: str) -> Path:
    """The page to which a link leads."""
    return ROOT / "docs" / url.removeprefix(f"{DOCS}/")


def rule_tests() -> dict[str, set[bool]]:
    """Alert -> whether its tests have it fire, and not."""
    found: dict[str, set[bool]] = {}
    tests = [test for path in RULE_TESTS for test in YAML(typ="safe").load(path.read_text("utf-8"))["tests"]]
    for one in (one for test in tests for one in test.get("alert_rule_test", ())):
        found.setdefault(one["alertname"], set()).add(bool(one["exp_alerts"]))
    return found
