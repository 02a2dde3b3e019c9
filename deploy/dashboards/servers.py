"""Rows of the pipeline's dashboard: what was refused, and how servers and processes are."""

from __future__ import annotations

from deploy.dashboards.panels import Panel, Query

PART = 'partition=~"$partition"'
STAGE = 'stage=~"$stage"'
OF_STAGE = f"* on (job, instance) group_left (stage) stream_seg_build_info{{{STAGE}}}"  # what bears no stage itself


def _increase(metric: str, by: str) -> str:
    return f"sum by ({by}) (increase({metric}{{{STAGE}}}[$__rate_interval]))"


REFUSED = (
    Panel(
        "stacked", "What became of events",
        "accepted, and what was not counted: duplicates (a producer sent it again), late ones, rejected ones.",
        normal="Nearly all are accepted; some duplicates belong to every producer that tries again.",
        action="Many late ones: raise `time.lateness`, or ask what holds them back. Many rejected ones: *Dead letters "
        "by reason*.",
        queries=(Query(f"sum by (result) (rate(stream_seg_events_total{{{STAGE}}}[$__rate_interval]))", "{{result}}"),),
        unit="ops", runbook="dead-letters",
    ),
    Panel(
        "stacked", "Dead letters by reason",
        "Records that went aside as they came; docs/input.md has each reason, with what its producer has to do.",
        normal="None, or the few that always come.",
        action="One reason that jumps is a producer's release: tell them, and send the records again when it is "
        "mended.",
        queries=(Query(_increase("stream_seg_dead_letters_total", "reason"), "{{reason}}"),),
        runbook="dead-letters",
    ),
    Panel(
        "series", "Published",
        "Messages that Kafka has acknowledged, by topic.",
        normal="It follows what is applied, with a wave at each daily walk and each new model.",
        action="Nothing while records are applied: look at *Waiting to be published*.",
        queries=(Query(f"sum by (topic) (rate(stream_seg_messages_published_total{{{STAGE}}}[$__rate_interval]))",
                       "{{topic}}"),),
        unit="ops", runbook="outbox-stuck",
    ),
)  # fmt: skip
SERVERS = (
    Panel(
        "series", "Redis: a round trip takes",
        "99 of 100, by kind of request.",
        normal="Some milliseconds.",
        action="Above 50 ms: a slow disk (AOF), a large write, or no CPU left.",
        queries=(Query("histogram_quantile(0.99, sum by (le, kind) "
                       f"(rate(stream_seg_redis_round_trip_seconds_bucket{{{STAGE}}}[$__rate_interval])))",
                       "{{kind}}"),),
        unit="s", runbook="redis-down",
    ),
    Panel(
        "series", "Redis: memory",
        "Used, and the limit where there is one.",
        normal="A slow climb with the number of customers, well below the limit.",
        action="A jump is an outbox that is stuck, or another tenant. Near the limit: raise `maxmemory`, never evict.",
        queries=(
            Query(f"max(stream_seg_redis_memory_bytes{{{STAGE}}})", "used"),
            Query(f"max(stream_seg_redis_memory_limit_bytes{{{STAGE}}})", "limit"),
        ),
        unit="bytes", runbook="redis-near-full",
    ),
    Panel(
        "series", "Waiting to be published",
        "Messages decided and stored that Kafka has not acknowledged.",
        normal="0, or a spike that is gone at once.",
        action="It stays: Kafka does not take them; the log says why. Above `run.outbox_limit` a partition stops "
        "applying.",
        queries=(Query(f"stream_seg_outbox_messages{{{STAGE}, {PART}}}", "{{stage}} {{partition}}"),),
        runbook="outbox-stuck",
    ),
    Panel(
        "series", "Tried again",
        "Because a server was away or refused for now.",
        normal="None; single ones are hiccups.",
        action="Without end: that server is away. `stream-seg doctor` says what does not answer.",
        queries=(Query(_increase("stream_seg_retries_total", "server"), "{{server}}"),),
        runbook="redis-down",
    ),
    Panel(
        "series", "Begun again",
        "Partitions that began again from what is stored: fenced by another owner, or a server away.",
        normal="None; some after a server was away, or when the group gave out partitions anew.",
        action="`fenced` that grows is two workers that both believe to own it; `unavailable` is a server.",
        queries=(Query(_increase("stream_seg_partitions_reopened_total", "reason"), "{{reason}}"),),
        runbook="not-ready",
    ),
    Panel(
        "series", "Partitions and rebalances",
        "Partitions assigned and open, and how often the group gave them out.",
        normal="As many open as assigned; a step for every deployment.",
        action="Fewer open: they read their state, or have stopped. Many rebalances without a deployment are workers "
        "that come and go: read the first error of each.",
        queries=(
            Query(f"sum by (stage) (stream_seg_partitions_assigned{{{STAGE}}})", "{{stage}} assigned"),
            Query(f"sum by (stage) (stream_seg_partitions_open{{{STAGE}}})", "{{stage}} open"),
            Query(_increase("stream_seg_rebalances_total", "stage"), "{{stage}} rebalances"),
        ),
        runbook="not-ready",
    ),
    Panel(
        "series", "CPU",
        "Cores of each process.",
        normal="Well below one, but while it catches up.",
        action="At one core a worker is at its end: start more of its stage, up to as many as there are partitions.",
        queries=(Query(f"rate(process_cpu_seconds_total[$__rate_interval]) {OF_STAGE}", "{{stage}} {{instance}}"),),
        unit="none", runbook="labels-stale",
    ),
    Panel(
        "series", "Memory",
        "Resident, of each process.",
        normal="A LABEL stays near 300 MB until `run.cache_mb` is filled; LEARN takes about 400.",
        action="It grows without end, or ends with the process: lower `run.cache_mb`, or give it more memory.",
        queries=(Query(f"process_resident_memory_bytes {OF_STAGE}", "{{stage}} {{instance}}"),),
        unit="bytes", runbook="process-down",
    ),
    Panel(
        "series", "Alarms",
        "Lines of the log that bear ALARM.",
        normal="None.",
        action="Read them: each says what a person has to do.",
        queries=(Query(_increase("stream_seg_alarms_total", "stage"), "{{stage}}"),),
        runbook="partition-stopped",
    ),
)  # fmt: skip
