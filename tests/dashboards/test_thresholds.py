"""The tests of each alert notice another threshold, and another time for which it has to be exceeded."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.dashboards import named
from tests.dashboards.executing import tool

ALERTS = [rule for rule in named.rules() if "alert" in rule]
COMPARED = re.compile(r"(?<=[=<>] )\d+(?:\.\d+)?\b")  # the numbers that something is compared with
MINUTES = {"m": 1, "h": 60}


def others(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rule with a threshold a fifth higher or lower (one, where it counts a few), and at once or twice as late."""
    minutes = int(rule["for"][:-1]) * MINUTES[rule["for"][-1]]
    for late in ("0s", f"{2 * minutes}m"):
        yield f"for {late}", {**rule, "for": late}
    for number in COMPARED.finditer(rule["expr"]):
        threshold = float(number[0])
        step = 1 if threshold in (0, 1, 2) else threshold / 5
        for other in (threshold - step, threshold + step):
            expr = f"{rule['expr'][: number.start()]}{other:g}{rule['expr'][number.end() :]}"
            yield expr, {**rule, "expr": expr}


def passes(directory: Path, rule: dict[str, Any]) -> bool:
    """Whether the alert's own tests are content with this rule."""
    written = {"groups": [{"name": "stream_seg-alerts", "rules": [rule]}]}
    (directory / "alerts.yml").write_text(json.dumps(written))
    files = []
    for path in named.RULE_TESTS:
        tests = YAML(typ="safe").load(path.read_text("utf-8"))
        alone = [t for t in tests["tests"] if rule["alert"] in {a["alertname"] for a in t.get("alert_rule_test", ())}]
        if alone:
            file = directory / f"{path.stem}-tests.yml"
            rules = [str(named.ROOT / "deploy/prometheus/rules/recording.yml"), str(directory / "alerts.yml")]
            file.write_text(json.dumps({**tests, "rule_files": rules, "tests": alone}))
            files.append(str(file))
    assert files
    done = subprocess.run([tool("promtool"), "test", "rules", *files], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    assert done.returncode == 0 or "FAILED" in done.stderr + done.stdout
    return done.returncode == 0


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_another_threshold_and_another_time_are_noticed(rule: dict[str, Any], tmp_path: Path) -> None:
    assert passes(tmp_path, rule)
    unnoticed = [what for what, other in others(rule) if passes(tmp_path, other)]
    assert unnoticed == []


def test_every_alert_but_the_one_of_what_is_absent_has_a_threshold() -> None:
    without = {rule["alert"] for rule in ALERTS if not COMPARED.search(rule["expr"])}
    assert without == {"StreamSegStageMissing"}
