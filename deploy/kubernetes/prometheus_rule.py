"""Prometheus's rules as the Prometheus operator takes them: ``python -m deploy.kubernetes.prometheus_rule``.

One source for both: `deploy/prometheus/rules/`. A test compares.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

RULES = Path(__file__).parents[1] / "prometheus/rules"
FILE = Path(__file__).parent / "base/rules.yaml"
HEAD = """\
# deploy/prometheus/rules for the Prometheus operator, made by `python -m deploy.kubernetes.prometheus_rule`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: stream-seg
spec:
  groups:
"""


def text() -> str:
    """The whole file: the groups of every file as they stand there, further in."""
    files = [file.read_text("utf-8") for file in sorted(RULES.glob("*.yml"))]
    return HEAD + "".join(indent(file.partition("\ngroups:\n")[2], "  ") for file in files)


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
