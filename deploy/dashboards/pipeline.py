"""Pipeline: for whoever is woken. What is behind, what waits for what, what was refused."""

from __future__ import annotations

from deploy.dashboards.panels import Page, Panel, Query, Variable
from deploy.dashboards.servers import PART, REFUSED, SERVERS, STAGE


def _quantile(of: float, metric: str) -> str:
    return f"histogram_quantile({of}, sum by (le, stage) (rate({metric}_bucket{{{STAGE}}}[$__rate_interval])))"


_FIRST = (
    Panel(
        "number", "Labels are behind by",
        "How long the oldest event waits for INGEST, if there is one, and for LABEL.",
        normal="Below a second or two.",
        action="Growing: not enough workers, or something stands; look at what it waits for below.",
        queries=(Query(f'max by (stage) (stream_seg_consumer_lag_seconds{{stage=~"ingest|label", {PART}}})',
                       "{{stage}}"),),
        unit="s", width=4, height=6, runbook="labels-stale", steps=((60, "orange"), (300, "red")),
    ),
    Panel(
        "number", "Partitions that stand",
        "Stopped partitions wait for a person.",
        normal="0.",
        action="The log has an ALARM line that says what to do.",
        queries=(Query(f"sum(stream_seg_partitions_stopped{{{STAGE}}})", "partitions"),),
        width=4, height=6, runbook="partition-stopped", steps=((1, "red"),),
    ),
    Panel(
        "number", "Redis answers",
        "1 while every process reaches Redis.",
        normal="1.",
        action="0: bring Redis back. Workers wait for it and go on by themselves; nothing is lost, labels go stale.",
        queries=(Query(f"min(stream_seg_redis_up{{{STAGE}}})", "up"),),
        width=4, height=6, runbook="redis-down", steps=((1, "green"),), base="red",
    ),
    Panel(
        "number", "Redis is filled to",
        "Used of `maxmemory`. Nothing is shown without a limit.",
        normal="Below 70 %.",
        action="Raise `maxmemory` in time: at 100 % writes are refused (`noeviction`) and labels stand.",
        queries=(Query("max(stream_seg:redis_memory:ratio)", "of its limit"),),
        unit="percentunit", width=4, height=6, runbook="redis-near-full", steps=((0.7, "orange"), (0.85, "red")),
    ),
    Panel(
        "number", "Movements not published for",
        "Age of the oldest decided movement that Kafka has not acknowledged.",
        normal="Below a second.",
        action="Growing: Kafka does not take them. The log and `stream-seg doctor` say why.",
        queries=(Query(f"max(stream_seg_outbox_oldest_seconds{{{STAGE}, {PART}}})", "seconds"),),
        unit="s", width=4, height=6, runbook="outbox-stuck", steps=((30, "orange"), (120, "red")),
    ),
    Panel(
        "number", "Dead letters",
        "Share of the input that cannot be used, last five minutes.",
        normal="What it always is.",
        action="A jump is a producer's release: *Dead letters by reason* says which rule it broke.",
        queries=(Query(f"max(stream_seg:dead_letters:ratio5m{{{STAGE}}})", "share"),),
        unit="percentunit", width=4, height=6, runbook="dead-letters", steps=((0.01, "orange"), (0.05, "red")),
    ),
)  # fmt: skip
_FLOW = (
    Panel(
        "series", "Records applied",
        "Per second and stage.",
        normal="As many as producers send.",
        action="Fewer than they send: *Behind, in records* grows; *What the time goes into* says what holds it up.",
        queries=(Query(f"sum by (stage) (rate(stream_seg_records_applied_total{{{STAGE}}}[$__rate_interval]))",
                       "{{stage}}"),),
        unit="ops", runbook="labels-stale",
    ),
    Panel(
        "series", "Behind, in records",
        "Records in the log that are not applied yet, per stage and partition.",
        normal="Near 0; after a stop it falls.",
        action="All partitions: not enough workers, or a slow server. One alone: one customer or producer floods it, "
        "or it has stopped.",
        queries=(Query(f"stream_seg_consumer_lag_records{{{STAGE}, {PART}}}", "{{stage}} {{topic}} {{partition}}"),),
        runbook="labels-stale",
    ),
    Panel(
        "series", "Behind, in seconds",
        "The age of the last applied record while others wait.",
        normal="0, or a second or two.",
        action="It grows by a second each second: that partition stands. It falls: wait.",
        queries=(Query(f"stream_seg_consumer_lag_seconds{{{STAGE}, {PART}}}", "{{stage}} {{topic}} {{partition}}"),),
        unit="s", runbook="labels-stale",
    ),
    Panel(
        "series", "From written to applied",
        "Of the oldest record of each batch: half, and 99 of 100.",
        normal="Well below a second.",
        action="Both rise: too little CPU, or a slow server. The 99 alone: single large batches, as after a rebalance.",
        queries=(
            Query(_quantile(0.5, "stream_seg_event_age_seconds"), "{{stage}} half"),
            Query(_quantile(0.99, "stream_seg_event_age_seconds"), "{{stage}} 99 %"),
        ),
        unit="s", runbook="labels-stale",
    ),
    Panel(
        "stacked", "What the time goes into",
        "Seconds per second by phase, all partitions. fetch is waiting for records, read and write are Redis, publish "
        "is Kafka, the others compute.",
        normal="Mostly fetch: what is left of it is spare.",
        action="Little fetch: more workers where it computes, a faster server where it waits. Much fetch and yet "
        "behind: a partition stands.",
        queries=(Query(f"sum by (phase) (rate(stream_seg_phase_seconds_total{{{STAGE}}}[$__rate_interval]))",
                       "{{phase}}"),),
        unit="none", runbook="labels-stale",
    ),
    Panel(
        "series", "Batches",
        "Records of a batch, 95 of 100.",
        normal="Small: as many as come while the one before is applied.",
        action="Large ones mean catching up: wait; if it stays so, start more workers.",
        queries=(Query(_quantile(0.95, "stream_seg_batch_records"), "{{stage}}"),),
        width=4,
    ),
    Panel(
        "series", "A batch takes",
        "From taken to applied, 95 of 100.",
        normal="Below a tenth of a second.",
        action="Longer: *What the time goes into* says whether it computes or waits for a server.",
        queries=(Query(_quantile(0.95, "stream_seg_batch_seconds"), "{{stage}}"),),
        unit="s", width=4,
    ),
)  # fmt: skip
_SILENCE = (
    Panel(
        "series", "The clocks are behind by",
        "How far each partition's own clock is behind now. It moves with INGEST's progress, or with the broker's time.",
        normal="Some seconds. With `input.clock: event`, where time is that of the events, 0.",
        action="Standing: nobody moves by silence there. The log of LABEL names the source that makes no progress.",
        queries=(Query(f"stream_seg_clock_lag_seconds{{{STAGE}, {PART}}}", "partition {{partition}}"),),
        unit="s", runbook="clock-stands",
    ),
    Panel(
        "series", "Overdue customers",
        "Whom silence should have moved by their partition's clock.",
        normal="0, or a short spike; midnight is an instant for many.",
        action="It does not fall: Redis is slow, or the partition has stopped.",
        queries=(Query(f"stream_seg_overdue_customers{{{STAGE}, {PART}}}", "partition {{partition}}"),),
        runbook="overdue-customers",
    ),
    Panel(
        "series", "Found in memory",
        "Share of the customers of a batch who were at hand.",
        normal="High where the same customers come again; low after a start, and in a replay of many.",
        action="Low for good, while read takes much of the time: raise `run.cache_mb`, or give it more workers.",
        queries=(Query(f"stream_seg:cache:hit_ratio5m{{{STAGE}}}", "{{instance}}"),),
        unit="percentunit", width=4,
    ),
    Panel(
        "series", "Customers in memory",
        "At the bound of `run.cache_mb`, who was not seen for longest is put out and read from Redis again.",
        normal="It grows until it stands at its bound.",
        action="At the bound with few *Found in memory*: raise `run.cache_mb`.",
        queries=(Query(f"sum by (instance) (stream_seg_cached_customers{{{STAGE}, {PART}}})", "{{instance}}"),),
        width=4,
    ),
)  # fmt: skip

PAGE = Page(
    uid="stream-seg-pipeline",
    title="Pipeline",
    text="What is behind, what waits for what, what was refused. The first row says in a glance whether to worry.",
    variables=(
        Variable("stage", "Stage", "stream_seg_build_info", "stage"),
        Variable("partition", "Partition", "stream_seg_outbox_messages", "partition"),
    ),
    since="now-3h",
    rows=(
        ("At a glance", _FIRST),
        ("Flow", _FLOW),
        ("Silence and memory", _SILENCE),
        ("Refused", REFUSED),
        ("Servers and processes", SERVERS),
    ),
)
