"""docker-compose.yml and the Dockerfile say what this package understands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from stream_seg.cli.run import STAGES
from stream_seg.config import load
from stream_seg.config.environment import PREFIX, RESERVED, variables
from tests.docs.pages import understood

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("stream-seg:")}


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
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == {"ingest"}


def test_every_variable_is_read_by_something() -> None:
    known = {*variables(), *RESERVED}
    named = {name for service in OURS.values() for name in service["environment"] if name.startswith(PREFIX)}
    assert len(named) == 3
    assert named <= known


def test_the_configuration_that_is_mounted_is_right_under_these_variables() -> None:
    worker = OURS["label"]
    (mount,) = worker["volumes"]
    found = re.fullmatch(r"\$\{SEGMENTATION:-(\S+)\}:(\S+):ro", mount)
    assert found is not None
    assert worker["environment"]["STREAM_SEG_CONFIG"] == found[2]
    env = {name: value for name, value in worker["environment"].items() if name not in RESERVED}
    config = load(ROOT / found[1], env)
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"://{config.kafka.bootstrap[0]}" in listeners
    host, _, port = config.redis.url.removeprefix("redis://").removesuffix("/0").partition(":")
    assert SERVICES[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    settings = SERVICES["redis"]["command"]
    given = dict(zip(settings[1::2], settings[2::2], strict=True))
    assert given["--maxmemory"] == "2gb"
    assert config.redis.memory == 2 << 30


def test_redis_keeps_everything_as_doctor_asks_for() -> None:
    settings = SERVICES["redis"]["command"]
    given = dict(zip(settings[1::2], settings[2::2], strict=True))
    assert (given["--appendonly"], given["--appendfsync"], given["--maxmemory-policy"]) == (
        "yes",
        "everysec",
        "noeviction",
    )


def test_every_image_is_pinned_and_every_port_is_on_loopback() -> None:
    images = [service["image"] for service in SERVICES.values()] + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
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
    assert OURS["label"]["build"]["dockerfile"] == "deploy/Dockerfile"
    modules = re.findall(r"python -m (\S+)", DOCKERFILE)
    assert modules
    assert [module for module in modules if not (ROOT / f"{module.replace('.', '/')}.py").exists()] == []
