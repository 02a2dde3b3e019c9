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

from stream_seg.bootstrap.feeding import feed_live
from tests.dashboards.named import RULES, Expression
from tests.live.stack import Stack
from tests.live.test_metrics import free_ports, get
from tests.live.workload import WEEKS, weeks

PATIENCE = 60.0
STANDS_FOR = {
    "$__rate_interval": "30s", "$__range": "10m", "$tier": ".*", "$segment": ".*", "$partition": ".*", "$stage": ".*",
    "$subject": ".*", "$method": ".*",
}  # fmt: skip
LONG_ENOUGH = {"customers": 80, "days": 45}  # thresholds of drift need four weeks of days to know what is usual


def tool(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed (Debian: apt-get install prometheus)"
    return found


class Prometheus:
    """A real one, on a port of its own."""

    def __init__(self, directory: Path, port: int, targets: Sequence[int]) -> None:
        self.port = port
        self._directory = directory
        listed = ", ".join(f'"127.0.0.1:{port}"' for port in targets)
        rules = "".join(f"  - {path}\n" for path in RULES)
        self._config = directory / "prometheus.yml"
        self._config.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files:\n{rules}"
            f"scrape_configs: [{{job_name: stream_seg, static_configs: [{{targets: [{listed}]}}]}}]\n"
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

    def values(self, metric: str, label: str) -> list[str]:
        return sorted({series["metric"][label] for series in self.ask(metric) if label in series["metric"]})


def until(done: Any, what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(0.2)


@contextmanager
def watched(bootstrap: str, redis_url: str, directory: Path) -> Iterator[tuple[Stack, Prometheus]]:
    """Weeks of purchases, a few broken events among them, through workers that Prometheus scrapes."""
    port = free_ports(3)
    with Stack(bootstrap, redis_url, directory, f"{WEEKS}run: {{metrics_port: {port}}}\n") as stack:
        prometheus = Prometheus(directory, port + 2, (port, port + 1))
        with prometheus.running():
            stack.activate()
            stack.command("run", "--stages", "label,learn", "--config", str(stack.file))
            stack.until(lambda: get(port, "readyz")[0] == get(port + 1, "readyz")[0] == 200, "both are ready")
            asyncio.run(feed_live(stack.config, weeks(5, **LONG_ENOUGH), lambda *_: None, lambda: None))
            stack.produce([(b"shopper-1", b"{broken"), (b"shopper-2", b"null")])
            stack.settle("label", "learn", "label")
            until(lambda: prometheus.ask("stream_seg_drift_threshold"), "drift has thresholds")
            until(lambda: prometheus.ask("stream_seg:segment_customers:named"), "who is here")
            until(lambda: prometheus.ask("increase(stream_seg_dead_letters_total[30s]) >= 0"), "dead letters")
            yield stack, prometheus


def filled_in(expr: str) -> str:
    """An expression as Grafana sends it, everything chosen."""
    for name, value in STANDS_FOR.items():
        expr = expr.replace(name, value)
    return expr


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
