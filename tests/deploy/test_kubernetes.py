"""deploy/kubernetes: objects by their schemas, and every name, port, path and key in them is one that exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
from ruamel.yaml import YAML

from deploy.kubernetes import prometheus_rule
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.cli.run import STAGES
from stream_seg.config import load
from stream_seg.config.environment import RESERVED, variables
from tests.deploy.compose import DOCKERFILE, ROOT
from tests.deploy.test_redis_users import USERS
from tests.docs.pages import understood

HERE = ROOT / "deploy/kubernetes"
VENDOR = Path(__file__).parent / "vendor"
FOREIGN = {
    "ScaledObject": "scaledobject_v1alpha1.json",
    "ServiceMonitor": "servicemonitor_v1.json",
    "PrometheusRule": "prometheusrule_v1.json",
}
KUSTOMIZE = ("Kustomization", "Component")


def read(path: Path) -> list[dict[str, Any]]:
    return [document for document in YAML(typ="safe").load_all(path.read_text("utf-8")) if document]


FILES = sorted(path for path in HERE.rglob("*.yaml") if path.name != "segmentation.yaml")
ALL = {f"{path.relative_to(HERE)}:{one['kind']}": one for path in FILES for one in read(path)}
OBJECTS = {name: one for name, one in ALL.items() if one["kind"] not in KUSTOMIZE}
BY_KIND: dict[str, list[dict[str, Any]]] = {}
for _one in OBJECTS.values():
    BY_KIND.setdefault(_one["kind"], []).append(_one)
TEMPLATES = {
    one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in [*BY_KIND["Deployment"], *BY_KIND["Job"]]
}
CONTAINERS = [
    (template, container)
    for template in TEMPLATES.values()
    for container in [*template.get("initContainers", ()), *template["containers"]]
]


def check(one: dict[str, Any]) -> None:
    """Raises where an object is not as its schema says."""
    if one["kind"] in FOREIGN:
        jsonschema_rs.validator_for(json.loads((VENDOR / FOREIGN[one["kind"]]).read_text("utf-8"))).validate(one)
    else:
        kubernetes_validate.validate(one, "1.34", strict=True)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_is_as_its_schema_says(name: str) -> None:
    check(OBJECTS[name])


@pytest.mark.parametrize(
    "kind", ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "ScaledObject", "ServiceMonitor"]
)
def test_a_wrong_type_in_an_object_would_be_noticed(kind: str) -> None:
    with pytest.raises((jsonschema_rs.ValidationError, kubernetes_validate.ValidationError)):
        check({**BY_KIND[kind][0], "spec": ["wrong"]})


def test_kustomizations_name_files_that_are_there_and_leave_out_none() -> None:
    named = set()
    for path in FILES:
        if path.name == "kustomization.yaml":
            (one,) = read(path)
            listed = [*one.get("resources", ()), *(f for g in one.get("configMapGenerator", ()) for f in g["files"])]
            named |= {(path.parent / file).resolve() for file in listed}
    assert [path for path in named if not path.exists()] == []
    files = {path for path in HERE.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert files <= named


def test_each_stage_has_a_deployment_that_calls_the_command_line_with_variables_that_are_read() -> None:
    assert {
        stage for template in TEMPLATES.values() for stage in STAGES if stage in template["containers"][0]["args"]
    } == set(STAGES)
    for _, container in CONTAINERS:
        understood(container["args"])
        named = {one["name"] for one in container["env"]}
        assert named <= {*variables(), *RESERVED}
        assert "STREAM_SEG_REDIS__PASSWORD" not in named


def test_the_configuration_is_the_example_and_where_the_variable_says() -> None:
    example = ROOT / "examples/segmentation.yaml"
    assert (HERE / "base/segmentation.yaml").read_text("utf-8") == example.read_text("utf-8")
    config = load(example, {})
    for template, container in CONTAINERS:
        env = {one["name"]: one["value"] for one in container["env"]}
        places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in template["volumes"]}
        folder, file = env["STREAM_SEG_CONFIG"].rsplit("/", 1)
        assert volumes[places[folder]]["configMap"]["name"] == "segmentation"
        assert file == example.name
        folder, file = env["STREAM_SEG_REDIS__PASSWORD_FILE"].rsplit("/", 1)
        assert [item["path"] for item in volumes[places[folder]]["secret"]["items"]] == [file]
        assert env["STREAM_SEG_REDIS__USERNAME"] == file
        assert file in USERS
        assert "/tmp" in places  # where the entry point copies the kernels to
        assert "NUMBA_CACHE_DIR=/tmp/" in DOCKERFILE
    (scaled,) = BY_KIND["ScaledObject"]
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["topic"] == topic_name(config.definition.name, "events")
    assert trigger["metadata"]["consumerGroup"] == group_name(config.definition.name, "label")
    assert scaled["spec"]["maxReplicaCount"] == config.kafka.partitions
    assert scaled["spec"]["scaleTargetRef"]["name"] in TEMPLATES


def test_probes_services_and_policies_meet_the_port_that_a_worker_listens_on() -> None:
    ports = set()
    for deployment in BY_KIND["Deployment"]:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        env = {one["name"]: one["value"] for one in container["env"]}
        (port,) = container["ports"]
        assert str(port["containerPort"]) == env["STREAM_SEG_RUN__METRICS_PORT"]
        ports.add((port["name"], port["containerPort"]))
        probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
        assert [probe["path"] for probe in probes] == ["/livez", "/livez", "/readyz"]
        assert {probe["port"] for probe in probes} == {port["name"]}
    ((name, number),) = ports
    (service,) = BY_KIND["Service"]
    assert [(one["name"], one["port"], one["targetPort"]) for one in service["spec"]["ports"]] == [(name, number, name)]
    (monitor,) = BY_KIND["ServiceMonitor"]
    assert [one["port"] for one in monitor["spec"]["endpoints"]] == [name]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (policy,) = BY_KIND["NetworkPolicy"]
    assert [one["port"] for rule in policy["spec"]["ingress"] for one in rule["ports"]] == [name]


def test_the_rules_are_those_of_prometheus_and_know_the_processes_by_the_name_that_the_monitor_gives() -> None:
    made = prometheus_rule.text()
    assert prometheus_rule.FILE.read_text("utf-8") == made, "run: python -m deploy.kubernetes.prometheus_rule"
    (rule,) = BY_KIND["PrometheusRule"]
    files = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    assert rule["spec"]["groups"] == [group for file in files for (one,) in [read(file)] for group in one["groups"]]
    (service,), (monitor,) = BY_KIND["Service"], BY_KIND["ServiceMonitor"]
    job = service["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    (prometheus,) = read(ROOT / "deploy/prometheus/prometheus.yml")
    assert job in [scrape["job_name"] for scrape in prometheus["scrape_configs"]]
    dashboards = [path.read_text("utf-8") for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")]
    assert set(re.findall(r'job=~?\\*"([^"\\]+)', "".join([made, *dashboards]))) == {job}


def test_only_the_autoscaler_says_how_many_there_are() -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in BY_KIND["ScaledObject"]}
    assert scaled
    counted = {one["metadata"]["name"] for one in BY_KIND["Deployment"] if "replicas" in one["spec"]}
    assert counted == TEMPLATES.keys() - scaled - {one["metadata"]["name"] for one in BY_KIND["Job"]}
    # It never goes to nobody, so how long to wait before that (KEDA's cooldownPeriod) would say nothing.
    assert all(one["spec"]["minReplicaCount"] > 0 for one in BY_KIND["ScaledObject"])
    assert not any("cooldownPeriod" in one["spec"] for one in BY_KIND["ScaledObject"])
    # A count of kustomize is such a field too: only where the autoscaler is left out with it.
    for one in (one for one in ALL.values() if one["kind"] in KUSTOMIZE):
        if scaled & {count["name"] for count in one.get("replicas", ())}:
            gone = [patch["patch"] for patch in one["patches"] if "$patch: delete" in patch["patch"]]
            assert any("kind: ScaledObject" in patch for patch in gone)


def test_nothing_is_written_into_the_selectors_that_choose_pods_of_others() -> None:
    # kustomize would put the label of this package into that of the cluster's name server too.
    pairs = [pair for one in ALL.values() if one["kind"] in KUSTOMIZE for pair in one.get("labels", ())]
    assert pairs
    assert [pair for pair in pairs if pair.get("includeSelectors")] == []


def test_what_chooses_pods_finds_them() -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in BY_KIND["Deployment"]]
    (service,) = BY_KIND["Service"]
    assert all(service["spec"]["selector"].items() <= these.items() for these in labels)
    (budget,) = BY_KIND["PodDisruptionBudget"]
    chosen = [one for one in labels if budget["spec"]["selector"]["matchLabels"].items() <= one.items()]
    assert len(chosen) == 1
    for deployment, these in zip(BY_KIND["Deployment"], labels, strict=True):
        assert deployment["spec"]["selector"]["matchLabels"].items() <= these.items()


def test_no_container_has_more_rights_than_it_needs() -> None:
    for template, container in CONTAINERS:
        assert template["automountServiceAccountToken"] is False
        assert template["securityContext"]["runAsNonRoot"] is True
        assert f"USER {template['securityContext']['runAsUser']}" in DOCKERFILE
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
