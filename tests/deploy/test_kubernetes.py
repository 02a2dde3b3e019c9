"""deploy/kubernetes: the objects are right by their schemas, and say what this package understands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
from ruamel.yaml import YAML

from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.config import load
from stream_seg.config.environment import PREFIX, RESERVED, variables
from tests.deploy.compose import ROOT
from tests.docs.pages import understood

FOLDER = ROOT / "deploy/kubernetes"
VENDOR = Path(__file__).parent / "vendor"
OTHERS = {"ScaledObject": "scaledobject_v1alpha1.json", "ServiceMonitor": "servicemonitor_v1.json"}
OBJECTS: list[tuple[str, dict[str, Any]]] = [
    (f"{path.relative_to(FOLDER)} {one['kind']}", one)
    for path in sorted(FOLDER.rglob("*.yaml"))
    if path.name not in {"kustomization.yaml", "segmentation.yaml"}
    for one in YAML(typ="safe").load_all(path.read_text("utf-8"))
]
EACH = pytest.mark.parametrize("one", [one for _, one in OBJECTS], ids=[name for name, _ in OBJECTS])
PODS = [one["spec"]["template"]["spec"] for _, one in OBJECTS if one["kind"] in {"Deployment", "Job"}]
CONTAINERS = [each for pod in PODS for each in (*pod.get("initContainers", []), *pod["containers"])]
CONFIG = load(FOLDER / "base/segmentation.yaml", {})


def valid(one: dict[str, Any]) -> None:
    """Raises where an object is not as its schema has it."""
    if one["kind"] in OTHERS:
        jsonschema_rs.validate(json.loads((VENDOR / OTHERS[one["kind"]]).read_text("utf-8")), one)
    else:
        kubernetes_validate.validate(one, "1.34", strict=True)


@EACH
def test_every_object_is_one_by_its_schema(one: dict[str, Any]) -> None:
    valid(one)


def test_a_misspelt_field_would_be_noticed() -> None:
    deployment = next(one for _, one in OBJECTS if one["kind"] == "Deployment")
    with pytest.raises(kubernetes_validate.ValidationError):
        valid({**deployment, "spec": {**deployment["spec"], "replica": 2}})


def test_every_stage_has_workers_and_every_command_is_one() -> None:
    for container in CONTAINERS:
        understood(container["args"])
    stages = {container["args"][-1] for container in CONTAINERS if container["args"][0] == "run"}
    assert stages == {"ingest", "label", "learn"}


def test_every_variable_is_read_by_something() -> None:
    named = {each["name"] for container in CONTAINERS for each in container["env"]}
    assert {name for name in named if name.startswith(PREFIX)} <= {*variables(), *RESERVED}


def test_probes_ask_pages_that_are_served_on_the_port_that_is_opened() -> None:
    workers = [container for container in CONTAINERS if container["args"][0] == "run"]
    for worker in workers:
        ports = {one["name"]: one["containerPort"] for one in worker["ports"]}
        env = {one["name"]: one["value"] for one in worker["env"]}
        assert int(env["STREAM_SEG_RUN__METRICS_PORT"]) == ports["metrics"]
        pages = {worker[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert pages == {"/livez", "/readyz"}
        assert worker["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_no_container_has_more_rights_than_it_needs() -> None:
    for pod in PODS:
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
    for container in CONTAINERS:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert not rights["allowPrivilegeEscalation"]
        assert "memory" in container["resources"]["limits"]


def test_scaling_looks_at_the_group_and_the_topic_that_there_are() -> None:
    (scaled,) = [one for _, one in OBJECTS if one["kind"] == "ScaledObject"]
    told = scaled["spec"]["triggers"][0]["metadata"]
    name = CONFIG.definition.name
    assert (told["consumerGroup"], told["topic"]) == (group_name(name, "label"), topic_name(name, "events"))
    assert scaled["spec"]["maxReplicaCount"] == CONFIG.kafka.partitions
