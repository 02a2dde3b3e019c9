"""What a dashboard is made of: rows of panels, each with queries and a description, built with Grafana's own SDK."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataTransformerConfig,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
DOCS = (Path(__file__).parents[1] / "docs.url").read_text("utf-8").strip()
"""Where docs/ can be read, for the links of panels and alerts: the one place to change it is deploy/docs.url."""
WIDTH = 24

Kind = Literal["series", "stacked", "number", "bars", "table", "states"]


@dataclass(frozen=True)
class Query:
    """An expression and what to call each of its series; of a table, its value's column."""

    expr: str
    legend: str = "__auto"


@dataclass(frozen=True)
class Panel:
    """One panel.

    text     what it shows
    normal   what is normal
    action   what to do where it is not
    runbook  a page of docs/runbooks/; without one it links to docs/metrics.md
    """

    kind: Kind
    title: str
    text: str
    _: KW_ONLY
    normal: str
    action: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8
    height: int = 8
    runbook: str = ""
    steps: Sequence[tuple[float, str]] = ()
    base: str = "green"  # the colour below the first step

    @property
    def description(self) -> str:
        """As Grafana shows it (Markdown)."""
        return f"{self.text}\n\n**Normal:** {self.normal}\n\n**Otherwise:** {self.action}"

    @property
    def page(self) -> str:
        """What it links to, below docs/."""
        return f"runbooks/{self.runbook}.md" if self.runbook else "metrics.md"


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard: the values of a label of a metric."""

    name: str
    label: str
    metric: str
    of: str


@dataclass(frozen=True)
class Mark:
    """A vertical line where an expression has a value."""

    name: str
    expr: str
    title: str
    color: str


@dataclass(frozen=True)
class Page:
    """One dashboard."""

    uid: str
    title: str
    text: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variables: Sequence[Variable] = ()
    marks: Sequence[Mark] = ()
    since: str = "now-24h"
    tags: Sequence[str] = field(default=("stream_seg",))

    @property
    def panels(self) -> list[Panel]:
        return [panel for _, panels in self.rows for panel in panels]


def text_of(page: Page) -> str:
    """The JSON that Grafana reads."""
    built = dashboard.Dashboard(page.title).uid(page.uid).description(page.text).tags(list(page.tags))
    built = built.readonly().refresh("30s").time(page.since, "now").timezone("browser")
    built = built.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    for variable in page.variables:
        built = built.with_variable(_choice(variable))
    for mark in page.marks:
        built = built.annotation(_mark(mark))
    numbers = count(1)  # links to a panel go by its number
    for title, panels in page.rows:
        built = built.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            built = built.with_panel(_built(panel).id(next(numbers)))
    made: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(built.build()))
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _choice(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(SOURCE)
        .query(f"label_values({variable.metric}, {variable.of})")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _mark(mark: Mark) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(mark.name)
        .datasource(SOURCE)
        .enable(enable=True)
        .icon_color(mark.color)
        .expr(mark.expr)
        .title_format(mark.title)
    )


def _built(panel: Panel) -> Any:
    make = {
        "series": _series, "stacked": _stacked, "number": _number, "bars": _bars, "table": _table, "states": _states,
    }  # fmt: skip
    built: Any = make[panel.kind](panel)
    built = (
        built.title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .span(panel.width)
        .height(panel.height)
    )
    if panel.kind != "states":
        built = built.unit(panel.unit)
    if panel.kind in {"number", "bars", "states"}:  # without steps Grafana would turn red at 80, whatever is counted
        steps = [Threshold(None, panel.base), *(Threshold(value, color) for value, color in panel.steps)]
        built = built.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        built = built.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    link = dashboard.DashboardLink("Runbook" if panel.runbook else "Metrics").type(DashboardLinkType.LINK)
    built = built.links([link.url(f"{DOCS}/{panel.page}").target_blank(target_blank=True)])
    for number, query in enumerate(panel.queries):
        built = built.with_target(_target(panel, query, chr(ord("A") + number)))
    return built


def _target(panel: Panel, query: Query, ref: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(SOURCE)
    if panel.kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant() if panel.kind in {"number", "bars"} else target.range()


def _series(_: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return timeseries.Panel().legend(legend.show_legend(show_legend=True)).fill_opacity(5)


def _stacked(panel: Panel) -> timeseries.Panel:
    return _series(panel).stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)


def _number(_: Panel) -> stat.Panel:
    return stat.Panel()


def _bars(_: Panel) -> bargauge.Panel:
    return bargauge.Panel().orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)


def _table(panel: Panel) -> table.Panel:
    """Without Prometheus's own columns; the value under its query's name."""
    hidden = {"Time": True, **{f"Time {n}": True for n in range(1, len(panel.queries) + 1)}}
    named = {"Value": panel.queries[0].legend} if len(panel.queries) == 1 else {}
    named |= {f"Value #{chr(ord('A') + n)}": query.legend for n, query in enumerate(panel.queries)}
    organize = DataTransformerConfig(id_val="organize", options={"excludeByName": hidden, "renameByName": named})
    merged = DataTransformerConfig(id_val="merge", options={})
    return table.Panel().transformations([merged, organize])


def _states(_: Panel) -> statetimeline.Panel:
    return statetimeline.Panel().merge_values(merge_values=True).row_height(0.8)
