"""A live run that a real Prometheus scrapes, and every expression executed there."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from tests.dashboards import named
from tests.dashboards.named import ROOT, RULES, Expression
from tests.live.stack import Stack
from tests.live.test_metrics import free_ports, get
from tests.live.workload import START, WEEKS, shifted, weeks

PATIENCE = 60.0
STANDS_FOR = {
    "$__rate_interval": "30s", "$__range": "10m", "$tier": ".*", "$segment": ".*", "$partition": ".*", "$stage": ".*",
    "$subject": ".*", "$method": ".*",
}  # fmt: skip
NOT_HERE = {'stream_seg_build_info{stage="ingest"}'}  # events come keyed; tests/live/test_metrics.py has an INGEST
LONG_ENOUGH = {"customers": 80, "days": 45}  # thresholds of drift need four weeks of days to know what is usual
DRIFTS_AT = 40  # the day from which they do


def tool(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed (Debian: apt-get install prometheus)"
    return found


def committed_job() -> str:
    """What the committed configuration calls the workers: alerts name it."""
    file = ROOT / "deploy/prometheus/prometheus.yml"
    (job,) = YAML(typ="safe").load(file.read_text("utf-8"))["scrape_configs"]
    return str(job["job_name"])


class Prometheus:
    """A real one, on a port of its own."""

    def __init__(self, directory: Path, port: int, targets: Sequence[int]) -> None:
        self.port = port
        self._directory = directory
        listed = ", ".join(f'"127.0.0.1:{port}"' for port in targets)
        rules = "".join(f"  - {path}\n" for path in RULES)
        self._config = directory / "prometheus.yml"
        self._config.write_text(
            f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files:\n{rules}scrape_configs: "
            f"[{{job_name: {committed_job()}, static_configs: [{{targets: [{listed}]}}]}}]\n"
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [
            tool("prometheus"), f"--config.file={self._config}", f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
        ]  # fmt: skip
        with (self._directory / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: get(self.port, "-/ready")[0] == 200, "Prometheus is ready")
            yield
        finally:
            process.terminate()
            process.wait()

    def ask(self, expr: str) -> list[Any]:
        """The series of an expression, now. Raises RuntimeError with Prometheus's words where it cannot be read."""
        query = urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=30) as answer:
                return list(json.load(answer)["data"]["result"])
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{expr}: {json.load(error)['error']}") from error


def until(done: Any, what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(0.2)


@contextmanager
def watched(bootstrap: str, redis_url: str, directory: Path) -> Iterator[tuple[Stack, Prometheus]]:
    """Weeks of purchases, which drift, and a few broken events, through workers that Prometheus scrapes."""
    port = free_ports(3)

    def day(_: int, through: int) -> None:
        """The feeder waits before everybody drifts until Prometheus knows of no alarm: the first is an increase."""
        if through >= START + DRIFTS_AT * DAY:
            until(lambda: prometheus.ask("stream_seg_drift_alarms_total"), "no alarm yet")

    with Stack(bootstrap, redis_url, directory, f"{WEEKS}run: {{metrics_port: {port}}}\n") as stack:
        prometheus = Prometheus(directory, port + 2, (port, port + 1))
        with prometheus.running():
            stack.activate()
            stack.command("run", "--stages", "label,learn", "--config", str(stack.file))
            stack.until(lambda: get(port, "readyz")[0] == get(port + 1, "readyz")[0] == 200, "both are ready")
            asyncio.run(feed_live(stack.config, shifted(weeks(5, **LONG_ENOUGH), DRIFTS_AT), day, lambda: None))
            stack.produce([(b"shopper-1", b"{broken"), (b"shopper-2", b"null")])
            stack.settle("label", "learn", "label")
            until(lambda: prometheus.ask("stream_seg_drift_threshold"), "drift has thresholds")
            until(lambda: prometheus.ask("stream_seg:segment_customers:named"), "who is here")
            until(lambda: prometheus.ask("increase(stream_seg_dead_letters_total[30s]) > 0"), "dead letters")
            yield stack, prometheus


def filled_in(expr: str) -> str:
    """An expression as Grafana sends it, everything chosen."""
    for name, value in STANDS_FOR.items():
        expr = expr.replace(name, value)
    return expr


def empty(prometheus: Prometheus) -> list[Expression]:
    """All that dashboards and rules ask and that gives nothing: nobody makes it, or not under these labels."""
    asked = [*named.of_panels(), *named.of_marks(), *named.of_choices(), *named.of_recorded(), *named.read_by_rules()]
    return [one for one in without_data(prometheus, asked) if one.expr not in NOT_HERE]


def without_data(prometheus: Prometheus, expressions: Sequence[Expression]) -> list[Expression]:
    """Those that give no series."""
    return [one for one in expressions if not prometheus.ask(filled_in(one.expr))]


def without_label(prometheus: Prometheus, expressions: Sequence[Expression]) -> list[tuple[Expression, str]]:
    """Labels that a legend names and a series does not have: Grafana would show nothing in their place."""
    found = []
    for one in expressions:
        series = prometheus.ask(filled_in(one.expr)) if one.labels else []
        found += [(one, label) for label in one.labels if any(label not in each["metric"] for each in series)]
    return found
