"""Pipeline: for whoever is woken. What is behind, what waits for what, what was refused."""

from __future__ import annotations

from deploy.dashboards.panels import Page, Panel, Query, Variable

PART = 'partition=~"$partition"'
STAGE = 'stage=~"$stage"'

_FIRST = (
    Panel(
        "number", "Labels are behind by",
        "How long the oldest event waits for INGEST, if there is one, and for LABEL. Normal: below a second or two. "
        "Growing: not enough workers, or something stands; look at what it waits for below.",
        (Query('max by (stage) (stream_seg_consumer_lag_seconds{stage=~"ingest|label"})', "{{stage}}"),),
        unit="s", width=4, height=6, runbook="labels-stale", steps=((60, "orange"), (300, "red")),
    ),
    Panel(
        "number", "Partitions that stand",
        "Stopped partitions wait for a person: the log has an ALARM line with what to do. Normal: 0.",
        (Query("sum(stream_seg_partitions_stopped)", "partitions"),),
        width=4, height=6, runbook="partition-stopped", steps=((1, "red"),),
    ),
    Panel(
        "number", "Redis answers",
        "1 while every process reaches Redis. 0: workers wait, nothing is lost, labels go stale.",
        (Query("min(stream_seg_redis_up)", "up"),),
        width=4, height=6, runbook="redis-down", steps=((1, "green"),), base="red",
    ),
    Panel(
        "number", "Redis is filled to",
        "Used of `maxmemory`. At 100 % writes are refused (`noeviction`) and labels stand. Nothing is shown without a "
        "limit.",
        (Query("max(stream_seg:redis_memory:ratio)", "of its limit"),),
        unit="percentunit", width=4, height=6, runbook="redis-near-full", steps=((0.7, "orange"), (0.85, "red")),
    ),
    Panel(
        "number", "Movements not published for",
        "Age of the oldest decided movement that Kafka has not acknowledged. Normal: below a second.",
        (Query("max(stream_seg_outbox_oldest_seconds)", "seconds"),),
        unit="s", width=4, height=6, runbook="outbox-stuck", steps=((30, "orange"), (120, "red")),
    ),
    Panel(
        "number", "Dead letters",
        "Share of the input that cannot be used, last five minutes. Normal: what it always is. A jump is a producer's "
        "release.",
        (Query("max(stream_seg:dead_letters:ratio5m)", "share"),),
        unit="percentunit", width=4, height=6, runbook="dead-letters", steps=((0.01, "orange"), (0.05, "red")),
    ),
)  # fmt: skip
_FLOW = (
    Panel(
        "series", "Records applied",
        "Per second and stage. What comes in is what producers send, unless something is behind.",
        (Query(f"sum by (stage) (rate(stream_seg_records_applied_total{{{STAGE}}}[$__rate_interval]))", "{{stage}}"),),
        unit="ops",
    ),
    Panel(
        "series", "Behind, in records",
        "Per stage and partition. One partition alone: one customer or producer floods it, or it has stopped.",
        (Query(f"stream_seg_consumer_lag_records{{{STAGE}, {PART}}}", "{{stage}} {{topic}} {{partition}}"),),
        runbook="labels-stale",
    ),
    Panel(
        "series", "Behind, in seconds",
        "The age of the last applied record while others wait.",
        (Query(f"stream_seg_consumer_lag_seconds{{{STAGE}, {PART}}}", "{{stage}} {{topic}} {{partition}}"),),
        unit="s", runbook="labels-stale",
    ),
    Panel(
        "series", "From written to applied",
        "Of the oldest record of each batch: half and 99 of 100. Normal: well below a second.",
        (
            Query("histogram_quantile(0.5, sum by (le, stage) "
                  f"(rate(stream_seg_event_age_seconds_bucket{{{STAGE}}}[$__rate_interval])))", "{{stage}} half"),
            Query("histogram_quantile(0.99, sum by (le, stage) "
                  f"(rate(stream_seg_event_age_seconds_bucket{{{STAGE}}}[$__rate_interval])))", "{{stage}} 99 %"),
        ),
        unit="s",
    ),
    Panel(
        "stacked", "What the time goes into",
        "Seconds per second by phase, all partitions. fetch is waiting for records: what is left of it is spare. read "
        "and write are Redis, publish is Kafka, the others compute.",
        (Query(f"sum by (phase) (rate(stream_seg_phase_seconds_total{{{STAGE}}}[$__rate_interval]))", "{{phase}}"),),
        unit="none",
    ),
    Panel(
        "series", "Batches",
        "Records of a batch, 95 of 100: large ones mean catching up.",
        (Query("histogram_quantile(0.95, sum by (le, stage) "
               f"(rate(stream_seg_batch_records_bucket{{{STAGE}}}[$__rate_interval])))", "{{stage}}"),),
        width=4,
    ),
    Panel(
        "series", "A batch takes",
        "From taken to applied, 95 of 100. Normal: below a tenth of a second.",
        (Query("histogram_quantile(0.95, sum by (le, stage) "
               f"(rate(stream_seg_batch_seconds_bucket{{{STAGE}}}[$__rate_interval])))", "{{stage}}"),),
        unit="s", width=4,
    ),
)  # fmt: skip
_SILENCE = (
    Panel(
        "series", "The clocks are behind by",
        "How far each partition's own clock is behind now. It moves with INGEST's progress, or with the broker's time. "
        "Standing: nobody moves by silence.",
        (Query(f"stream_seg_clock_lag_seconds{{{PART}}}", "partition {{partition}}"),),
        unit="s", runbook="clock-stands",
    ),
    Panel(
        "series", "Overdue customers",
        "Whom silence should have moved by their partition's clock. Normal: 0 or a short spike.",
        (Query(f"stream_seg_overdue_customers{{{PART}}}", "partition {{partition}}"),),
        runbook="overdue-customers",
    ),
    Panel(
        "series", "Found in memory",
        "Share of the customers of a batch who were at hand. Low: raise `run.cache_mb`, or give it more workers.",
        (Query("stream_seg:cache:hit_ratio5m", "{{instance}}"),),
        unit="percentunit", width=4,
    ),
    Panel(
        "series", "Customers in memory",
        "Bounded by `run.cache_mb`: at the bound, who was not seen for longest is put out and read from Redis again.",
        (Query(f"sum by (instance) (stream_seg_cached_customers{{{PART}}})", "{{instance}}"),),
        width=4,
    ),
)  # fmt: skip
_REFUSED = (
    Panel(
        "stacked", "What became of events",
        "accepted, and what was not counted: duplicates (a producer's retries), late ones, rejected ones.",
        (Query("sum by (result) (rate(stream_seg_events_total[$__rate_interval]))", "{{result}}"),),
        unit="ops",
    ),
    Panel(
        "stacked", "Dead letters by reason",
        "Each reason is explained in docs/input.md, with what its producer has to do.",
        (Query("sum by (reason) (increase(stream_seg_dead_letters_total[$__rate_interval]))", "{{reason}}"),),
        runbook="dead-letters",
    ),
    Panel(
        "series", "Published",
        "Messages that Kafka has acknowledged, by topic.",
        (Query("sum by (topic) (rate(stream_seg_messages_published_total[$__rate_interval]))", "{{topic}}"),),
        unit="ops",
    ),
)  # fmt: skip
_SERVERS = (
    Panel(
        "series", "Redis: a round trip takes",
        "99 of 100, by kind. Above 50 ms: a slow disk (AOF), a large write, or no CPU left.",
        (Query("histogram_quantile(0.99, sum by (le, kind) "
               "(rate(stream_seg_redis_round_trip_seconds_bucket[$__rate_interval])))", "{{kind}}"),),
        unit="s", runbook="redis-down",
    ),
    Panel(
        "series", "Redis: memory",
        "Used, and the limit where there is one.",
        (
            Query("max(stream_seg_redis_memory_bytes)", "used"),
            Query("max(stream_seg_redis_memory_limit_bytes)", "limit"),
        ),
        unit="bytes", runbook="redis-near-full",
    ),
    Panel(
        "series", "Waiting to be published",
        "Messages decided and stored that Kafka has not acknowledged. Above `run.outbox_limit` a partition stops "
        "applying.",
        (Query(f"stream_seg_outbox_messages{{{PART}}}", "{{stage}} {{partition}}"),),
        runbook="outbox-stuck",
    ),
    Panel(
        "series", "Tried again",
        "Because a server was away or refused for now. Single ones are hiccups.",
        (Query("sum by (server) (increase(stream_seg_retries_total[$__rate_interval]))", "{{server}}"),),
    ),
    Panel(
        "series", "Begun again",
        "Partitions that began again from what is stored: fenced by another owner, or a server away.",
        (Query("sum by (reason) (increase(stream_seg_partitions_reopened_total[$__rate_interval]))", "{{reason}}"),),
    ),
    Panel(
        "series", "Partitions and rebalances",
        "Open of those assigned. A step for every deployment is normal; many without one are workers that come and go.",
        (
            Query("sum by (stage) (stream_seg_partitions_assigned)", "{{stage}} assigned"),
            Query("sum by (stage) (stream_seg_partitions_open)", "{{stage}} open"),
            Query("sum by (stage) (increase(stream_seg_rebalances_total[$__rate_interval]))", "{{stage}} rebalances"),
        ),
        runbook="not-ready",
    ),
    Panel(
        "series", "CPU",
        "Cores of each process. At one core a worker is at its end: give it more workers, it has no more threads.",
        (Query("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),),
        unit="none",
    ),
    Panel(
        "series", "Memory",
        "Resident, of each process. A LABEL stays near 300 MB until `run.cache_mb` is filled; LEARN takes about 400.",
        (Query("process_resident_memory_bytes", "{{instance}}"),),
        unit="bytes",
    ),
    Panel(
        "series", "Alarms",
        "Lines that begin with ALARM in the log: each says what a person has to do.",
        (Query("sum by (stage) (increase(stream_seg_alarms_total[$__rate_interval]))", "{{stage}}"),),
        runbook="partition-stopped",
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
        ("Refused", _REFUSED),
        ("Servers and processes", _SERVERS),
    ),
)
