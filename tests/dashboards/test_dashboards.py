"""Dashboards and rules are what the code says, name only what there is, and show something of a live run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from deploy.dashboards.__main__ import FOLDER, PAGES, linked
from deploy.dashboards.panels import DOCS, text_of
from tests.dashboards import named
from tests.dashboards.executing import empty, tool, watched, without_label
from tests.dashboards.named import Expression
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

NO_PANELS = {"italics", "page", "ticket", "open", "assigned"}  # what else a runbook writes so


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_the_committed_dashboards_are_those_that_the_code_makes(page: object) -> None:
    uid = page.uid  # type: ignore[attr-defined]  # a Page
    written = (FOLDER / f"{uid}.json").read_text("utf-8")
    assert written == text_of(page), "run: python -m deploy.dashboards"  # type: ignore[arg-type]  # as above


def test_no_dashboard_is_there_that_no_code_makes() -> None:
    assert {path.stem for path in named.DASHBOARDS} == {page.uid for page in PAGES}


def test_the_links_of_the_committed_rules_are_those_that_the_code_writes() -> None:
    for path in (*named.RULES, *named.RULE_TESTS):
        text = path.read_text("utf-8")
        assert text == linked(text), "run: python -m deploy.dashboards"


def test_every_panel_says_what_it_shows_what_is_normal_and_what_to_do_otherwise() -> None:
    for one in (one for page in PAGES for one in page.panels):
        assert len(one.text) > 15, one.title
        assert one.normal.endswith("."), one.title
        assert len(one.action) > 15, one.title
    for dashboard in named.dashboards():
        for panel in named.panels(dashboard):
            assert re.fullmatch(r".+\n\n\*\*Normal:\*\* .+\n\n\*\*Otherwise:\*\* .+", panel["description"])
            assert panel["targets"], panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"


def test_every_metric_that_is_named_is_made_by_somebody() -> None:
    names = named.metrics_in(named.everything())
    assert len(names) > 40
    assert named.missing(names) == []


@pytest.mark.parametrize(
    "expr",
    [
        "sum(stream_seg_segment_customer)",
        "rate(stream_seg_records_applied[5m])",
        "stream_seg:dead_letters:ratio",
        "process_cpu_seconds",
    ],
)
def test_a_misspelt_metric_is_found(expr: str) -> None:
    assert len(named.missing(named.metrics_in([Expression("a panel", expr)]))) == 1


def test_measures_of_several_tiers_are_not_added_up() -> None:
    added = re.compile(r"sum by \(([^)]*)\) \(stream_seg_drift_(?:score|baseline|threshold)")
    by = [labels for one in named.of_panels() for labels in added.findall(one.expr)]
    assert len(by) >= 3
    assert [labels for labels in by if "tier" not in labels.split(", ")] == []


def test_every_panel_links_to_a_page_that_is_there() -> None:
    for dashboard in named.dashboards():
        for panel in named.panels(dashboard):
            (link,) = panel["links"]
            assert link["url"].startswith(f"{DOCS}/"), panel["title"]
            assert named.page_of(link["url"]).is_file(), panel["title"]


def test_a_runbook_that_a_panel_links_to_is_that_of_an_alert_too() -> None:
    books = {Path(rule["annotations"]["runbook_url"]).stem for rule in named.rules() if "alert" in rule}
    linked = {panel.runbook for page in PAGES for panel in page.panels if panel.runbook}
    assert linked <= books


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert named.without_runbook() == []
    books = {Path(rule["annotations"]["runbook_url"]).name for rule in named.rules() if "alert" in rule}
    assert {path.name for path in named.RUNBOOKS.glob("*.md")} == books | {"README.md"}
    for rule in named.rules():
        if "alert" in rule:
            page = named.page_of(rule["annotations"]["runbook_url"]).read_text("utf-8")
            assert f"Alert: `{rule['alert']}`." in page
            headings = [line for line in page.splitlines() if line.startswith("## ")]
            assert headings == ["## What it means", "## How to see it", "## What to do", "## How to verify"]


def test_the_index_of_runbooks_says_of_every_alert_how_urgent_it_is() -> None:
    index = (named.RUNBOOKS / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[.+\]\((.+)\) \| `(\w+)` \| (\w+) \|$", index, re.MULTILINE)
    alerts = [rule for rule in named.rules() if "alert" in rule]
    said = {(Path(a["annotations"]["runbook_url"]).name, a["alert"], a["labels"]["severity"]) for a in alerts}
    assert set(rows) == said
    assert len(rows) == len(alerts)


def test_every_panel_that_a_runbook_names_is_on_a_dashboard() -> None:
    titles = {panel.title for page in PAGES for panel in page.panels}
    for book in named.RUNBOOKS.glob("*.md"):
        words = set(re.findall(r"(?<![*\w])\*([^*\n]+)\*(?!\*)", book.read_text("utf-8")))
        unknown = words - titles - NO_PANELS
        assert not unknown, book.name


def test_the_first_number_of_the_pipeline_is_what_its_alert_looks_at() -> None:
    (rule,) = (rule for rule in named.rules() if rule.get("alert") == "StreamSegLabelsStale")
    (page,) = (page for page in PAGES if page.title == "Pipeline")
    (query,) = page.panels[0].queries
    assert rule["expr"] == f"{query.expr} > 300".replace(', partition=~"$partition"', "")
    assert 'stage=~"ingest|label"' in query.expr


def test_promtool_finds_nothing_in_the_rules_and_in_the_configuration() -> None:
    config = named.ROOT / "deploy/prometheus/prometheus.yml"
    for words in (["check", "rules", "--lint-fatal", *map(str, named.RULES)], ["check", "config", str(config)]):
        done = subprocess.run([tool("promtool"), *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_and_quiet() -> None:
    alerts = {rule["alert"] for rule in named.rules() if "alert" in rule}
    assert named.rule_tests() == {alert: {True, False} for alert in alerts}


def test_the_alerts_fire_when_they_should_and_not_otherwise() -> None:
    words = [tool("promtool"), "test", "rules", *map(str, named.RULE_TESTS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_cannot_fire_is_found(tmp_path: Path) -> None:
    """By its test: a metric that nobody makes has no series but those that a test gives it under the right name."""
    rules = (named.ROOT / "deploy/prometheus/rules/alerts.yml").read_text("utf-8")
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "rules/alerts.yml").write_text(rules.replace("stream_seg_redis_up", "stream_seg_redis_is_up"))
    for path in (*named.RULES, *named.RULE_TESTS):
        target = tmp_path / path.parent.name / path.name
        if not target.exists():
            target.write_text(path.read_text("utf-8"))
    words = [tool("promtool"), "test", "rules", str(tmp_path / "tests/processes.yml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "StreamSegRedisDown" in done.stdout + done.stderr


@pytest.mark.servers
@pytest.mark.slow
def test_every_panel_and_rule_has_data_of_a_live_run(kafka: KafkaServer, tmp_path: Path) -> None:
    with RedisServer(maxmemory="1gb") as redis, watched(kafka.bootstrap, redis.url, tmp_path) as (stack, prometheus):
        assert empty(prometheus) == []
        assert without_label(prometheus, list(named.of_panels())) == []
        moved = {json.loads(r.value or b"")["id"] for r in stack.read("segment-changes")}
        ways = prometheus.ask("sum(stream_seg_segment_changes_total)")
        assert float(ways[0]["value"][1]) == len(moved)
