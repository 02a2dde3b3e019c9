"""Writes the dashboards that Grafana is provisioned with, and where docs/ is into the alerts and their tests."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.dashboards import drift, pipeline, segments
from deploy.dashboards.panels import DOCS, text_of

PAGES = (segments.PAGE, drift.PAGE, pipeline.PAGE)
FOLDER = Path(__file__).parents[1] / "grafana/dashboards"
RULES = Path(__file__).parents[1] / "prometheus"


def linked(text: str) -> str:
    """Rules, or tests of them, whose links to runbooks begin with `DOCS`."""
    return re.sub(r"(runbook_url: )\S*?(runbooks/\S+)", rf"\g<1>{DOCS}/\g<2>", text)


def main() -> None:
    """All of them; what is there is written over."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        (FOLDER / f"{page.uid}.json").write_text(text_of(page), encoding="utf-8")
    for path in RULES.glob("*/*.yml"):
        path.write_text(linked(path.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
