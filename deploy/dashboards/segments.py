"""Segment health and movement: for a product lead. Who is here, who goes where, and why."""

from __future__ import annotations

from deploy.dashboards.marks import MARKS
from deploy.dashboards.panels import Page, Panel, Query, Variable

OF = 'tier=~"$tier"'
IN = f'{OF}, segment=~"$segment"'
MOVED = "stream_seg_segment_changes_total"
LEFT, CAME = f'{MOVED}{{{OF}, from=~"$segment"}}', f'{MOVED}{{{OF}, to=~"$segment"}}'
HERE = Query(f"sum by (segment, name) (stream_seg:segment_customers:named{{{IN}}})", "{{name}} ({{segment}})")

_WHO = (
    Panel(
        "number", "Customers in a segment",
        "Everybody with a label, of the chosen segments.",
        normal="It grows with the shop and falls as `time.forget_after` comes for those who are silent.",
        action="A sudden fall means that partitions are without a worker: look at the pipeline's dashboard.",
        queries=(Query(f"sum(stream_seg_segment_customers{{{IN}}})", "customers"),),
        width=4, runbook="labels-stale",
    ),
    Panel(
        "bars", "Who is here",
        "Customers by segment, under the names of the model in force.",
        normal="None is empty for long; how large they are is a matter of the shop.",
        action="A segment that empties for days has lost its meaning: look at its profile (`stream-seg segments`), and "
        "at the drift dashboard for what came before.",
        queries=(HERE,),
        width=10,
    ),
    Panel(
        "stacked", "How that changes",
        "The same over time. Vertical lines are models that came into force, refits, and alarms of drift.",
        normal="Slow waves are seasons. A step at a line of a model is a changed definition, announced on "
        "`segment-definitions` before.",
        action="A step without a line: *Why they move* says whether events, silence or a tier made it.",
        queries=(HERE,),
        width=10,
    ),
)  # fmt: skip
_MOVES = (
    Panel(
        "table", "From → to",
        "Movements in the time range out of or into the chosen segments, the most first. `new` is from no segment, "
        "`gone` is to none (forgotten, or a tier without a model).",
        normal="Most pairs are neighbours, and one way outweighs the other.",
        action="Many both ways between two segments: their border lies where many customers are; a larger "
        "`segments.margin` calms it.",
        queries=(Query("topk(50, round(sum by (from, to, from_name, to_name) ("
                       f"(increase({LEFT}[$__range]) or increase({CAME}[$__range]))"
                       " * on (from) group_left (from_name) stream_seg:segment_name:from"
                       " * on (to) group_left (to_name) stream_seg:segment_name:to)) > 0)", "movements"),),
        width=10, height=10, runbook="flapping",
    ),
    Panel(
        "stacked", "Why they move",
        "event: something they did; time: their silence; model: a changed definition (or a rollback); tier: another "
        "plan or region; backfill: the first model; forgotten: silent for `time.forget_after`. Of all segments: causes "
        "are counted by tier alone.",
        normal="event and time make up most of it. A wave of `model` follows another model and ends by itself.",
        action="A wave of `time` is customers who drift away: `stream-seg who drifting-away` names them. A wave of "
        "`tier` that nobody planned: ask who sends that field.",
        queries=(Query(f"sum by (cause) (increase(stream_seg_movements_total{{{OF}}}[$__rate_interval]))",
                       "{{cause}}"),),
        width=14, height=10,
    ),
    Panel(
        "series", "Into and out of a segment",
        "Movements into (above) and out of (below) each chosen segment.",
        normal="As many out as in: a segment in balance.",
        action="More out than in for days: *From → to* says where they go; whoever looks after that segment should "
        "know.",
        queries=(
            Query(f"sum by (to) (increase({CAME}[$__rate_interval]))", "into {{to}}"),
            Query(f"-sum by (from) (increase({LEFT}[$__rate_interval]))", "out of {{from}}"),
        ),
        width=12,
    ),
    Panel(
        "bars", "Who stayed",
        "How well each segment holds its customers: 100 % where nobody left it in the time range, 0 where as many left "
        "as are in it now, or more. Who leaves twice counts twice.",
        normal="Much the same from week to week, over the same time range.",
        action="Low for one alone: it lies between others, and what people do for it comes too late. Low for all: "
        "labels flap.",
        queries=(Query("clamp_min(1 - sum by (segment) (label_replace(increase("
                       f'{LEFT}[$__range]), "segment", "$1", "from", "(.*)"))'
                       f" / sum by (segment) (stream_seg_segment_customers{{{IN}}} > 0), 0)", "{{segment}}"),),
        unit="percentunit", width=6, runbook="flapping",
    ),
    Panel(
        "series", "Moved back",
        "Share of the movements that lead back to the segment before within a day, within seven. Of all tiers and "
        "segments: returns are not counted apart.",
        normal="Below a tenth. Of a few movements an hour the share says little.",
        action="Above a fifth labels flap: raise `segments.margin`, or set `segments.dwell`.",
        queries=(Query("stream_seg:movements_back:ratio1h", "within {{within}}"),),
        unit="percentunit", width=6, runbook="flapping",
    ),
)  # fmt: skip

PAGE = Page(
    uid="stream-seg-segments",
    title="Segment health and movement",
    text="Who is here, who moves from where to where, and why. Numbers are of the customers that LABEL knows.",
    variables=(
        Variable("tier", "Tier", "stream_seg_model_version", "tier"),
        Variable("segment", "Segment", "stream_seg_segment_customers", "segment"),
    ),
    marks=MARKS,
    since="now-7d",
    rows=(("Who is here", _WHO), ("Who moves", _MOVES)),
)
