"""docker-compose.yml without a container engine: its commands, environment and files as processes on real servers."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from ruamel.yaml import YAML

from deploy.dashboards.panels import DOCS
from stream_seg.config import load
from tests.dashboards import named
from tests.deploy.compose import DOCKERFILE, OURS, ROOT, document, mounts, options
from tests.live.stack import Stack, Worker
from tests.servers.kafka import KafkaServer, free_ports
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DEMO = {"SEGMENTATION": "./stream_seg/adapters/files/demo/cdnow.yaml", "DEMO_DATA": "cdnow"}
SERVICES: dict[str, dict[str, Any]] = document(DEMO)["services"]
ADDRESSES = re.compile(r"(?:KAFKA_)?(?:.*LISTENER.*|CONTROLLER_QUORUM_VOTERS|PROCESS_ROLES|NODE_ID|LOG_DIRS|HEAP_OPTS)")


def broker_settings() -> dict[str, Any]:
    """What kafka's environment asks of the broker, but for where it listens and keeps its files."""
    env = SERVICES["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in env.items()
        if not ADDRESSES.fullmatch(name)
    }


class Composed:
    """The services as processes. Of all that the file says, names of hosts, ports and places are exchanged."""

    def __init__(self, kafka: KafkaServer, redis: RedisServer, directory: Path) -> None:
        self._kafka, self._redis, self.directory = kafka, redis, directory
        self._ports = dict(zip(OURS, free_ports(len(OURS)), strict=True))
        self._running: dict[str, Worker] = {}  # by service, the newest
        self._all: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.end()

    def said(self, name: str) -> str:
        return self._running[name].output()[-4000:]

    def here(self, name: str, text: str) -> str:
        """A word of the file as it is on this machine."""
        for inside, outside in mounts(SERVICES[name]).items():
            text = text.replace(inside, str(outside))
        for stage, port in self._ports.items():
            text = text.replace(f"{stage}:9464", f"127.0.0.1:{port}")
        text = text.replace("127.0.0.1:9464", f"127.0.0.1:{self._ports.get(name)}")
        text = text.replace("kafka:19092", self._kafka.bootstrap).replace("redis:6379", f"127.0.0.1:{self._redis.port}")
        return str(self._ports[name]) if text == "9464" else text.replace("0.0.0.0", "127.0.0.1")

    def start(self, name: str, *more: str) -> Worker:
        """Runs the service as the image would: its entry point with the service's command, and `more` after it."""
        env = {key: self.here(name, str(value)) for key, value in SERVICES[name]["environment"].items()}
        image = dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE))))
        caches = {"KERNELS": str(self.directory / "kernels"), "NUMBA_CACHE_DIR": str(self.directory / f"cache-{name}")}
        assert caches.keys() <= image.keys()
        (entry,) = re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
        shell, script = json.loads(entry)
        command = [
            "env",
            *[f"{key}={value}" for key, value in {**image, **caches, **env}.items()],
            f"PATH={Path(sys.executable).parent}:{os.environ['PATH']}",
            shell,
            str(ROOT / "deploy" / Path(script).name),
            *[self.here(name, word) for word in SERVICES[name]["command"]],
            *more,
        ]
        return self._launch(name, command)

    def healthy(self, name: str) -> bool:
        """Whether the service's own check says so now."""
        kind, program, *words = SERVICES[name]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        check = [sys.executable, *[self.here(name, word) for word in words]]
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    def prometheus(self, port: int) -> Worker:
        """The real one, with the file's command and the repository's configuration."""
        program = shutil.which("prometheus")
        assert program, "prometheus is missing: apt-get install prometheus"
        configuration = self.directory / "prometheus.yml"
        text = mounts(SERVICES["prometheus"])["/etc/prometheus/prometheus.yml"].read_text()
        text = text.replace("15s", "1s").replace("rules/", f"{ROOT}/deploy/prometheus/rules/")
        settings = YAML(typ="safe").load(text)
        (job,) = settings["scrape_configs"]
        (discovery,) = job.pop("dns_sd_configs")  # names of no network here: a service that runs has an address
        job["static_configs"] = [
            {"targets": [f"127.0.0.1:{self._ports[name]}"], "labels": {"__meta_dns_name": name}}
            for name in discovery["names"]
            if name in self._running
        ]
        configuration.write_text(json.dumps(settings))
        swapped = {
            str(ROOT / "deploy/prometheus/prometheus.yml"): str(configuration),
            "=/prometheus": f"={self.directory / 'series'}",
            "127.0.0.1:9090": f"127.0.0.1:{port}",
        }
        command = []
        for word in SERVICES["prometheus"]["command"]:
            here = self.here("prometheus", word)
            for inside, outside in swapped.items():
                here = here.replace(inside, outside)
            command.append(here)
        return self._launch("prometheus", [program, *command])

    def _launch(self, name: str, command: list[str]) -> Worker:
        self._running[name] = Worker(command, self.directory / f"output-{len(self._all)}-{name}")
        self._all.append(self._running[name])
        return self._running[name]

    def stop(self, name: str) -> str:
        """SIGTERM, as at `docker compose stop`; what it has said. It has to end in order."""
        worker = self._running[name]
        assert worker.stop() == 0, worker.output()
        return worker.output()


def kernels(directory: Path) -> None:
    """Where the image has its compiled kernels: those of this checkout, in the folders that numba looks into."""
    for package in (ROOT / "stream_seg/core", ROOT / "stream_seg/wire"):
        place = directory / f"{package.name}_{hashlib.sha1(str(package).encode()).hexdigest()}"
        place.mkdir(parents=True)
        for file in (package / "__pycache__").glob("*.nb[ic]"):
            shutil.copy(file, place)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[KafkaServer, RedisServer]]:
    """As the file sets them up."""
    heap = SERVICES["kafka"]["environment"]["KAFKA_HEAP_OPTS"].removeprefix("-Xmx")
    settings = options(SERVICES["redis"]["command"][1:])
    with ExitStack() as running:
        broker = running.enter_context(KafkaServer(heap=heap, **broker_settings()))
        store = running.enter_context(
            RedisServer(**{name.replace("-", "_"): value for name, value in settings.items()})
        )
        yield broker, store


@pytest.fixture
def composed(servers: tuple[KafkaServer, RedisServer], tmp_path: Path) -> Iterator[Composed]:
    kernels(tmp_path / "kernels")
    with Composed(*servers, tmp_path) as composed:
        yield composed


def ended(worker: Worker) -> int:
    return worker.process.wait(300)


def test_the_demo_played_through_its_services_ends_in_labels_and_movements(
    composed: Composed, servers: tuple[KafkaServer, RedisServer], tmp_path: Path, wait: Callable[..., None]
) -> None:
    kafka, redis = servers
    assert ended(composed.start("topics")) == 0, composed.said("topics")
    for stage in ("label", "learn"):  # learn waits for label
        assert not composed.healthy(stage)
        composed.start(stage)
        wait(lambda: composed.healthy(stage), composed.said, stage)  # noqa: B023 — in this round
    (port,) = free_ports(1)
    composed.prometheus(port)
    assert ended(composed.start("demo", "--days", "90")) == 0, (
        composed.said("demo") + composed.said("label") + composed.said("learn")
    )

    with Stack(kafka.bootstrap, redis.url, tmp_path, "", topics=False) as looks:
        labels, movements = (looks.read(f"cdnow.{topic}.v1") for topic in ("customer-segments", "segment-changes"))
        assert len({record.key for record in labels}) > 1_000
        assert len(movements) > 1_000
        assert looks.read("cdnow.dead-letters.v1") == []
    wait(lambda: set(asked(port, "stream_seg_build_info", "stage")) == {"label", "learn"}, composed.said, "prometheus")
    assert {name.partition("/")[0] for name in asked(port, "up", "instance")} == {"label", "learn"}
    for rule in (rule for rule in named.rules() if "alert" in rule):  # the link of each leads to its page there
        page = rule["annotations"]["runbook_url"].removeprefix(DOCS)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/user{page}") as answer:
            assert f"Alert: `{rule['alert']}`." in answer.read().decode()
    assert asked(port, 'ALERTS{alertname=~"StreamSegProcessDown|StreamSegStageMissing"}', "alertname") == []

    again = composed.start("demo")
    assert ended(again) == 1
    assert "can be played once" in again.output()
    for stage in ("learn", "label"):
        assert "compiling" not in composed.stop(stage)


def asked(port: int, expr: str, label: str) -> list[str]:
    """A label of every series that the Prometheus at the port has now of an expression."""
    query = urllib.parse.urlencode({"query": expr})
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}") as answer:
            return [series["metric"][label] for series in json.load(answer)["data"]["result"]]
    except OSError:
        return []


def test_the_demo_goes_into_no_other_segmentation(composed: Composed) -> None:
    file = load(ROOT / "examples/segmentation.yaml", {}).path
    code = "from stream_seg.cli import main; main()"
    words = ["demo", "--data", "cdnow", "--into", str(file)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "go into no other segmentation than 'cdnow'" in done.stderr
