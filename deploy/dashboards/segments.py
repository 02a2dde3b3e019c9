"""Segment health and movement: for a product lead. Who is here, who goes where, and why."""

from __future__ import annotations

from deploy.dashboards.panels import Page, Panel, Query, Variable

OF = 'tier=~"$tier"'
MOVED = "stream_seg_segment_changes_total"

PAGE = Page(
    uid="stream-seg-segments",
    title="Segment health and movement",
    text="Who is here, who moves from where to where, and why. Numbers are of the customers that LABEL knows.",
    variables=(
        Variable("tier", "Tier", "stream_seg_model_version", "tier"),
        Variable("segment", "Segment", "stream_seg_segment_customers", "segment"),
    ),
    since="now-7d",
    rows=(
        (
            "Who is here",
            (
                Panel(
                    "number", "Customers in a segment",
                    "Everybody with a label. It grows with the shop and falls when `forget_after` comes; a sudden fall "
                    "means that partitions are without a worker: see the pipeline's dashboard.",
                    (Query(f"sum(stream_seg_segment_customers{{{OF}}})", "customers"),),
                    width=4, runbook="labels-stale",
                ),
                Panel(
                    "bars", "Who is here",
                    "Customers by segment, under the names of the model in force. A segment that empties for days has "
                    "lost its meaning: look at its definition (`stream-seg segments`).",
                    (Query(f'sum by (segment, name) (stream_seg:segment_customers:named{{{OF}, segment=~"$segment"}})',
                           "{{name}} ({{segment}})"),),
                    width=10,
                ),
                Panel(
                    "stacked", "How that changes",
                    "The same over time. Slow waves are seasons; a step at a vertical change of the model is a changed "
                    "definition, announced on `segment-definitions` before.",
                    (Query(f'sum by (segment, name) (stream_seg:segment_customers:named{{{OF}, segment=~"$segment"}})',
                           "{{name}} ({{segment}})"),),
                    width=10,
                ),
            ),
        ),
        (
            "Who moves",
            (
                Panel(
                    "table", "From → to",
                    "Movements in the time range, the most first. `new` is from no segment, `gone` is to none "
                    "(forgotten, or a tier without a model). Many both ways between two segments: their border lies "
                    "where many customers are; a larger `margin` calms it.",
                    (Query("topk(50, round(sum by (from, to, from_name, to_name) ("
                           f"increase({MOVED}{{{OF}}}[$__range])"
                           " * on (from) group_left (from_name) stream_seg:segment_name:from"
                           " * on (to) group_left (to_name) stream_seg:segment_name:to)) > 0)", "movements"),),
                    width=10, height=10,
                ),
                Panel(
                    "stacked", "Why they move",
                    "event: something they did; time: their silence; model: a changed definition (or a rollback); "
                    "tier: another plan or region; backfill: the first model. A wave of `model` needs no action; a "
                    "wave of `time` is customers who drift away: `stream-seg who drifting-away`.",
                    (Query(f"sum by (cause) (increase(stream_seg_movements_total{{{OF}}}[$__rate_interval]))",
                           "{{cause}}"),),
                    width=14, height=10,
                ),
                Panel(
                    "series", "Into and out of a segment",
                    "Movements into (above) and out of (below) each chosen segment. As many out as in is a segment in "
                    "balance.",
                    (
                        Query(f'sum by (to) (increase({MOVED}{{{OF}, to=~"$segment"}}[$__rate_interval]))',
                              "into {{to}}"),
                        Query(f'-sum by (from) (increase({MOVED}{{{OF}, from=~"$segment"}}[$__rate_interval]))',
                              "out of {{from}}"),
                    ),
                    width=12,
                ),
                Panel(
                    "bars", "Who stayed",
                    "Share of a segment's customers who did not leave it in the time range. Low for one alone: it lies "
                    "between others, and what people do for it comes too late. Low for all: flapping.",
                    (Query("clamp_min(1 - sum by (segment) (label_replace(increase("
                           f'{MOVED}{{{OF}, from=~"$segment"}}[$__range]), "segment", "$1", "from", "(.*)"))'
                           f" / sum by (segment) (stream_seg_segment_customers{{{OF}}} > 0), 0)", "{{segment}}"),),
                    unit="percentunit", width=6, runbook="flapping",
                ),
                Panel(
                    "series", "Moved back",
                    "Share of the movements that lead back to the segment before within a day, within seven. Above a "
                    "fifth, labels flap: raise `margin` or `dwell`.",
                    (Query("stream_seg:movements_back:ratio1h", "within {{within}}"),),
                    unit="percentunit", width=6, runbook="flapping",
                ),
            ),
        ),
    ),
)  # fmt: skip
