"""docker-compose.yml and the Dockerfile say what this package understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import typer
from ruamel.yaml import YAML

from deploy.dashboards.panels import DOCS
from stream_seg.cli.run import STAGES
from stream_seg.config import load
from stream_seg.config.environment import PREFIX, RESERVED, variables
from tests.deploy.compose import DOCKERFILE, OURS, ROOT, SERVICES, document, mounts, options
from tests.docs.pages import understood
from tests.servers.kafka import free_ports

PATIENCE = 60.0  # bounds a wait
SCHEMA = json.loads((Path(__file__).parent / "vendor/compose-spec.json").read_text("utf-8"))


def test_the_file_is_one_by_the_compose_specification() -> None:
    check = jsonschema_rs.validator_for(SCHEMA)
    assert [error.message for error in check.iter_errors(document({}))] == []


def test_a_misspelt_key_would_be_noticed() -> None:
    wrong: dict[str, Any] = document({})
    wrong["services"]["redis"]["helthcheck"] = wrong["services"]["redis"].pop("healthcheck")
    assert not jsonschema_rs.validator_for(SCHEMA).is_valid(wrong)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_every_worker_is_one_of_the_command_line(name: str) -> None:
    understood(OURS[name]["command"])


@pytest.mark.parametrize(
    "words", [["topics", "make"], ["run", "--stage", "label"], ["nothing"], ["customer"], ["run", "--workers", "none"]]
)
def test_a_command_that_does_not_exist_would_be_noticed(words: list[str]) -> None:
    with pytest.raises((KeyError, typer.exceptions.TyperException)):
        understood(words)


def test_every_stage_has_a_service_and_ingest_only_where_it_is_asked_for() -> None:
    stages = {service["command"][-1] for service in OURS.values() if service["command"][0] == "run"}
    assert stages == set(STAGES)
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == {"ingest", "demo"}


def test_every_variable_is_read_by_something() -> None:
    known = {*variables(), *RESERVED}
    named = {name for service in OURS.values() for name in service["environment"] if name.startswith(PREFIX)}
    assert len(named) == 5
    assert named <= known


def test_the_configuration_that_is_mounted_is_right_under_these_variables() -> None:
    worker = OURS["label"]
    file = mounts(worker)[worker["environment"]["STREAM_SEG_CONFIG"]]
    env = {name: str(value) for name, value in worker["environment"].items() if name not in RESERVED}
    config = load(file, env)
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"://{config.kafka.bootstrap[0]}" in listeners
    host, _, port = config.redis.url.removeprefix("redis://").removesuffix("/0").partition(":")
    assert SERVICES[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    given = options(SERVICES["redis"]["command"][1:])
    assert given["maxmemory"] == "2gb"
    assert config.redis.memory == 2 << 30


def test_redis_keeps_everything_as_doctor_asks_for() -> None:
    given = options(SERVICES["redis"]["command"][1:])
    assert (given["appendonly"], given["appendfsync"], given["maxmemory-policy"]) == (
        "yes",
        "everysec",
        "noeviction",
    )


def test_every_image_is_pinned_and_every_port_is_on_loopback() -> None:
    stages = set(re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE, re.MULTILINE))
    images = [service["image"] for service in SERVICES.values()]
    images += set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages
    assert [image for image in images if not re.search(r":v?\d+\.\d+", image)] == []
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_who_is_waited_for_is_there_and_can_be_waited_for() -> None:
    for service in OURS.values():
        for name, how in service["depends_on"].items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert SERVICES[name]["restart"] == "no"


def test_the_image_is_built_of_what_the_repository_has() -> None:
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = [word for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]
    assert set(copied) == kept
    assert [name for name in copied if not (ROOT / name).exists()] == []
    builds = [service["build"] for service in OURS.values()]
    assert {build["dockerfile"] for build in builds} == {"deploy/Dockerfile"}
    assert {build["target"] for build in builds} <= set(re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE, re.MULTILINE))
    modules = re.findall(r"python -m (\S+)", DOCKERFILE)
    assert modules
    assert [module for module in modules if not (ROOT / f"{module.replace('.', '/')}.py").exists()] == []


def test_no_container_has_more_rights_than_it_needs_or_takes_the_machine_for_itself() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys(), name
        assert service.get("user", "root") not in ("root", "0") or name in OURS, name
    last = {target: DOCKERFILE.split(f"AS {target}")[1].split("FROM ")[0] for target in ("worker", "demo")}
    assert {re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1] for text in last.values()} == {"10001"}


def test_what_is_mounted_is_there_and_where_grafana_and_prometheus_look_for_it() -> None:
    for service in SERVICES.values():
        assert [path for path in mounts(service).values() if not path.exists()] == []
    boards = mounts(SERVICES["grafana"])
    provider = boards["/etc/grafana/provisioning"] / "dashboards/stream_seg.yaml"
    (path,) = re.findall(r"path: (\S+)", provider.read_text("utf-8"))
    assert list(boards[path].glob("*.json"))
    (discovery,) = scraped()["dns_sd_configs"]
    assert discovery["port"] == OURS["label"]["environment"]["STREAM_SEG_RUN__METRICS_PORT"]
    running = {name for name, service in OURS.items() if service["command"][0] == "run"}
    assert set(discovery["names"]) == running == set(STAGES)


def test_the_links_of_alerts_and_panels_lead_to_the_docs_that_its_prometheus_shows() -> None:
    service = SERVICES["prometheus"]
    (shown,) = [word.partition("=")[2] for word in service["command"] if word.startswith("--web.user-assets=")]
    assert mounts(service)[shown] == ROOT / "docs"
    (address,) = [port.rpartition(":")[0] for port in service["ports"]]
    assert f"http://{address}/user" == DOCS


def scraped() -> dict[str, Any]:
    """Where Prometheus looks for processes."""
    file = mounts(SERVICES["prometheus"])["/etc/prometheus/prometheus.yml"]
    (job,) = YAML(typ="safe").load(file.read_text("utf-8"))["scrape_configs"]
    return dict(job)


def test_a_service_that_does_not_run_is_no_target_and_nobody_is_woken_for_it(tmp_path: Path) -> None:
    """A name under .invalid has no address, as the name of a service has none in whose profile nobody is."""
    file = mounts(SERVICES["prometheus"])["/etc/prometheus/prometheus.yml"].read_text("utf-8")
    away = re.sub(r"\b(ingest|label|learn)\b(?=[,:\]])", r"\1.invalid.", file)
    program = shutil.which("prometheus")
    assert program, "prometheus is not installed (Debian: apt-get install prometheus)"
    (port,) = free_ports(1)
    itself = f"  - job_name: itself\n    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    (tmp_path / "prometheus.yml").write_text(re.sub(r"rule_files:\n.*\n", "", away) + itself)
    words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/series"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([program, *words, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
    try:
        give_up = time.monotonic() + PATIENCE
        while looked_up(port) < 3 or not targets(port):  # which come all at once, after some seconds
            assert time.monotonic() < give_up, (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert targets(port) == ["itself"]
    finally:
        process.terminate()
        process.wait()


def looked_up(port: int) -> float:
    """How many names the Prometheus at the port has looked for so far."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            (count,) = re.findall(r"^prometheus_sd_dns_lookups_total (\d+)$", answer.read().decode(), re.MULTILINE)
    except OSError:
        return 0
    return int(count)


def targets(port: int) -> list[str]:
    """The job of each target that it has."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets") as answer:
        return [target["labels"]["job"] for target in json.load(answer)["data"]["activeTargets"]]


def test_one_stage_alone_puts_the_first_definition_in_force() -> None:
    first = {
        name
        for name, service in OURS.items()
        if service["command"][0] == "run" and "label" not in service["depends_on"]
    }
    assert first == {"label"}
