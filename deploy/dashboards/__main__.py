"""Writes the dashboards that Grafana is provisioned with."""

from __future__ import annotations

from pathlib import Path

from deploy.dashboards import drift, pipeline, segments
from deploy.dashboards.panels import text_of

PAGES = (segments.PAGE, drift.PAGE, pipeline.PAGE)
FOLDER = Path(__file__).parents[1] / "grafana/dashboards"


def main() -> None:
    """All of them; what is there is written over."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        (FOLDER / f"{page.uid}.json").write_text(text_of(page), encoding="utf-8")


if __name__ == "__main__":
    main()
