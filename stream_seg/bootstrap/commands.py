"""The only place that names adapters: what a command asks for, wired to the servers that a configuration names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypeAlias

from stream_seg.adapters.files import Form
from stream_seg.adapters.prometheus.serving import check_free
from stream_seg.bootstrap.backfilling import Folded, run_backfill
from stream_seg.bootstrap.connect import check_traces
from stream_seg.bootstrap.definition import begin, put_in_force
from stream_seg.bootstrap.demo import feed_demo, run_demo
from stream_seg.bootstrap.examining import examine
from stream_seg.bootstrap.logs import logs
from stream_seg.bootstrap.queries import ask_customer, ask_segments, ask_who
from stream_seg.bootstrap.rebuilding import Rebuilt, rebuild_partition
from stream_seg.bootstrap.saying import say
from stream_seg.bootstrap.servers import (
    create_product_topics,
    create_topics,
    embedded_servers,
    on_servers,
    worker_environment,
)
from stream_seg.bootstrap.snapshot import Done, read_snapshot, write_snapshot
from stream_seg.bootstrap.status import looks, wait_until_drained
from stream_seg.bootstrap.supervisor import Supervisor
from stream_seg.config import Config
from stream_seg.core.views import View
from stream_seg.pipeline.answers import CustomerAnswer, SegmentsAnswer, WhoAnswer
from stream_seg.pipeline.diagnosis import Finding
from stream_seg.pipeline.status import StatusAnswer
from stream_seg.pipeline.summary import Summary
from stream_seg.progress import Tell

Stage: TypeAlias = Literal["ingest", "label", "learn"]


def run(config: Config, stages: Sequence[Stage], workers: int, *, embedded: bool) -> None:
    """Runs the stages until SIGTERM or Ctrl-C, `workers` processes each; returns when they have finished cleanly.

    On an empty log the definition of `config` is put in force first; on another, a file that differs is only told of.
    """
    with ExitStack() as ending:
        ending.enter_context(logs(config.run.log, "run"))
        if embedded:
            servers = ending.enter_context(embedded_servers(config))
            config = on_servers(config, servers)
            create_topics(config, retention_days=7, dry_run=False)
            create_product_topics(config)
            say(f"Kafka {servers.kafka}, Redis {servers.redis_url}")
        _run(config, stages, workers, embedded=embedded)


def _run(config: Config, stages: Sequence[Stage], workers: int, *, embedded: bool) -> None:
    if config.run.metrics_port:
        check_free(config.run.bind, config.run.metrics_port, len(stages) * workers)
    check_traces(config)
    note = begin(config, who="run", why="first run")
    if note:
        say(note)
    Supervisor(
        config.path,
        stages,
        workers,
        worker_environment(config),
        embedded=embedded,
        metrics_port=config.run.metrics_port,
        bind=config.run.bind,
    ).run()


def apply(
    config: Config, *, why: str, who: str, dry_run: bool, wait: float, backfilled: bool = False
) -> dict[str, Any]:
    """Puts the definition in force: one activation into every partition of the log.

    A changed one is numbered by LEARN, whose answer is waited for, `wait` seconds at most. `backfilled`: its new
    features begin with what `backfill` has computed.
    Returns ``{activation, feature_set_version, changes: [text], customers, dry_run}``.
    """
    return asyncio.run(put_in_force(config, why=why, who=who, dry_run=dry_run, wait=wait, backfilled=backfilled))


def backfill(config: Config, partitions: Sequence[int], tell: Tell) -> list[Folded]:
    """New features out of the retained log, beside the workers; see `run_backfill` for what is refused."""
    return run_backfill(config, partitions, tell)


def replay(
    config: Config,
    inputs: Sequence[str],
    out: Path,
    *,
    form: Literal["csv", "parquet", "ndjson", "kafka"] | None,
    start: int | None,
    end: int | None,
    tell: Tell,
) -> dict[str, Any]:
    """Runs the pipeline in memory over files or topics and writes what came of it into the folder `out`.

    `form` None: by the names of the inputs. `start` … `end`, `end` not included: event times in ms; over the events
    log, whose order is the broker's, the broker's times.
    Returns ``{events, accepted, dead_letters, late, duplicates, movements, segments, customers, …, seconds, out}``.
    """
    from stream_seg.bootstrap.offline import run_replay  # noqa: PLC0415  # with river: a second that no other command needs

    return run_replay(config, inputs, out, form=form, start=start, end=end, tell=tell)


def feed(config: Config, inputs: Sequence[str], *, form: Form | None, tell: Tell) -> dict[str, Any]:
    """Stored events through the servers and workers of a configuration, day by day; what was fed."""
    from stream_seg.bootstrap.past import feed_files  # noqa: PLC0415  # as above

    return feed_files(config, inputs, form=form, tell=tell)


def demo(
    data: Literal["completejourney", "cdnow"], *, days: int | None, keep: bool, tell: Tell
) -> tuple[Summary, list[str]]:
    """The main job on real purchases, with embedded servers. Returns what came of it, and where to go next.

    `keep`: the servers stay up until Ctrl-C.
    """
    return run_demo(data, days=days, keep=keep, tell=tell)


def status(config: Config) -> Iterator[StatusAnswer]:
    """How it stands: look after look."""
    return looks(config)


def drain(config: Config, seconds: float, told: Callable[[StatusAnswer], None]) -> StatusAnswer:
    """Waits until nothing is left to apply or to publish, `seconds` at most; the last look."""
    return wait_until_drained(config, seconds, told)


def snapshot(config: Config, path: Path) -> Done:
    """All state of Redis into one file. Raises `Stop` where it is written to meanwhile."""
    return write_snapshot(config, path)


def restore(config: Config, path: Path, *, force: bool) -> Done:
    """A snapshot back into Redis; see `read_snapshot` for what is refused."""
    return read_snapshot(config, path, force=force)


def rebuild(config: Config, partition: int, offset: int | None) -> Rebuilt:
    """One partition's state anew from the log; see `rebuild_partition` for what is refused."""
    return rebuild_partition(config, partition, offset)


def demo_into(config: Config, data: Literal["completejourney", "cdnow"], *, days: int | None, tell: Tell) -> Summary:
    """The same purchases through the servers and workers of a configuration."""
    return feed_demo(data, config, days=days, tell=tell)


def customer(config: Config, customer_id: str) -> CustomerAnswer | None:
    """Who a customer is now; None: nobody of that id is known."""
    return ask_customer(config, customer_id)


def segments(config: Config) -> SegmentsAnswer:
    """Who is here, segment by segment."""
    return ask_segments(config)


def who(config: Config, view: View, limit: int) -> WhoAnswer:
    """Who is in a view, the first `limit` of them."""
    return ask_who(config, view, limit)


def doctor(config: Config) -> list[Finding]:
    """Looks at everything that `config` names and changes nothing. What cannot be reached is a finding too."""
    return examine(config)
