"""deploy/kafka/acls.sh: its rights name the topics and groups that the code has, and nobody needs others.

Over SASL_SSL, each stage and the operator by a name of its own, on a real Kafka that refuses whatever is not allowed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from stream_seg.adapters.kafka.topics import group_name, topic_name, topics
from stream_seg.bootstrap.servers import create_product_topics
from stream_seg.cli.run import STAGES
from tests.deploy.compose import ROOT
from tests.live.stack import Stack, Worker
from tests.live.workload import event, now
from tests.servers.kafka import KafkaServer, jars
from tests.servers.redis import RedisServer

SCRIPT = ROOT / "deploy/kafka/acls.sh"
INPUTS = {"web.tracks", "app.tracks"}
JAVA = 'exec java -Xmx128m -cp "$JARS" org.apache.kafka.tools'
KAFKA_ACLS = f'#!/bin/sh\n{JAVA}.AclCommand "$@"\n'
NOTED = '#!/bin/sh\necho "$*" >>"$CALLS"\n'
WITH_INGEST = f"""
input: {{keyed_by_customer: false, clock: progress, topics: [{", ".join(sorted(INPUTS))}]}}
features: [{{name: orders, aggregate: count, window: 7d}}, {{name: silence, aggregate: recency}}]
"""


def environment(directory: Path, kafka_acls: str) -> dict[str, str]:
    program = directory / "kafka-acls.sh"
    program.write_text(kafka_acls)
    program.chmod(0o755)
    return {
        "PATH": f"{directory}:{os.environ['PATH']}",
        "JARS": f"{jars()}/*",
        "CALLS": str(directory / "calls"),
    }


def rights(directory: Path, name: str = "shop") -> set[tuple[str, str, str]]:
    """(user, operation, topic or group) of everything that the script allows."""
    env = environment(directory, NOTED)
    subprocess.run(["sh", SCRIPT, "kafka:9092", name, " ".join(sorted(INPUTS))], env=env, check=True)
    found = set()
    for call in (directory / "calls").read_text().splitlines():
        (user,) = re.findall(r"User:(\S+)", call)
        for operation in re.findall(r"--operation (\S+)", call):
            found |= {(user, operation, on) for on in re.findall(r"--(?:topic|group) (\S+)", call)}
    return found


def test_they_name_every_topic_and_group_of_the_code_and_no_other(tmp_path: Path) -> None:
    on = {name for _, _, name in rights(tmp_path)}
    logs = {topic_name("shop", logical) for logical in topics()}
    assert on == logs | INPUTS | {group_name("shop", stage) for stage in STAGES}


def test_every_topic_has_a_stage_that_writes_it_and_only_its_own_writes_what_readers_trust(tmp_path: Path) -> None:
    writers: dict[str, set[str]] = {}
    for user, operation, on in rights(tmp_path):
        if operation == "Write":
            writers.setdefault(on, set()).add(user)
    assert writers.keys() == {topic_name("shop", logical) for logical in topics()}
    assert writers["shop.segment-changes.v1"] == writers["shop.customer-segments.v1"] == {"shop-label"}
    assert writers["shop.models.v1"] == writers["shop.segment-definitions.v1"] == {"shop-learn"}


def test_nobody_may_create_alter_or_delete_anything(tmp_path: Path) -> None:
    assert {operation for _, operation, _ in rights(tmp_path)} == {"Read", "Write", "Describe", "DescribeConfigs"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[tuple[Stack, KafkaServer]]:
    """A segmentation with its topics, on a Kafka where each has the rights of the script, and the test itself all.

    One for all tests: it is the script's way to start Java for every line of rights that takes long.
    """
    authorizer: dict[str, Any] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # over PLAINTEXT: the broker itself, the topics' maker, the test
    }
    name = f"guarded-{uuid4().hex[:8]}"  # who asks bears it, so it has to be known before the broker starts
    users = {f"{name}-{who}": f"secret-{who}" for who in (*STAGES, "operator")}
    directory = tmp_path_factory.mktemp("guarded")
    with (
        KafkaServer(heap="400m", users=users, **authorizer) as kafka,
        Stack(kafka.bootstrap, redis_server.url, directory, WITH_INGEST, partitions=1, name=name) as stack,
    ):
        create_product_topics(stack.config)
        env = environment(directory, KAFKA_ACLS)
        named = [kafka.bootstrap, stack.name, " ".join(sorted(INPUTS))]
        subprocess.run(["sh", SCRIPT, *named], env=env, check=True, capture_output=True)
        yield stack, kafka


def file_of(stack: Stack, kafka: KafkaServer, who: str, password: str = "") -> Path:
    """The stack's configuration as one user has it: over TLS, by name, the password in a file."""
    secret, path = stack.directory / f"secret-{who}{password}", stack.directory / f"{who}{password}.yaml"
    secret.write_text(password or f"secret-{who}")
    security = (
        f"{{protocol: SASL_SSL, mechanism: SCRAM-SHA-512, username: {stack.name}-{who}, "
        f"password_file: '{secret}', ca_file: '{kafka.ca_file}'}}"
    )
    text = stack.file.read_text().replace(kafka.bootstrap, kafka.secure)
    path.write_text(text.replace("kafka: {", f"kafka: {{security: {security}, ", 1))
    return path


def kafka_tool(directory: Path, *words: str) -> str:
    env = environment(directory, KAFKA_ACLS)
    command = ["sh", "-c", f'{JAVA}."$@"', "sh", *words]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.servers
@pytest.mark.slow
def test_every_command_of_an_operator_works_with_its_rights(guarded: tuple[Stack, KafkaServer], tmp_path: Path) -> None:
    stack, kafka = guarded
    file = str(file_of(stack, kafka, "operator"))

    def ended(*words: str, code: int = 0) -> Worker:
        command = stack.command(*words, *([file, "--why", "x"] if words[0] == "apply" else ["--config", file]))
        assert command.process.wait(120) == code, command.output()
        return command

    ended("apply")
    checks = ended("doctor", "--json", code=3).output()  # Redis without a limit of its memory
    findings = json.loads(checks[checks.index("{") :])["findings"]
    wrong = [one["detail"] for one in findings if one["status"] != "ok" and not one["check"].startswith("redis")]
    assert set(wrong) <= {"nobody is in the group"}
    assert set(INPUTS) <= {one["place"] for one in findings if one["check"] == "input topic"}
    ended("status", "--once")
    ended("drain", "--timeout", "0", code=3)
    ended("rebuild", "--partition", "0")
    ended("snapshot", str(tmp_path / "state"))
    ended("restore", str(tmp_path / "state"), "--force")
    ended("segments")
    ended("model", "list")
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    admin = tmp_path / "operator.properties"
    admin.write_text(
        f"security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        f'sasl.jaas.config={login} username="{stack.name}-operator" password="secret-operator";\n'
        f"ssl.truststore.type=PEM\nssl.truststore.location={kafka.ca_file}\n"
    )
    for stage, log in (("label", "events"), ("learn", "samples")):  # docs/operating.md, where Redis lost everything
        back = ["--reset-offsets", "--to-earliest", "--execute", "--group", group_name(stack.name, stage)]
        at = ["--bootstrap-server", kafka.secure, "--command-config", str(admin)]
        kafka_tool(tmp_path, "consumer.group.ConsumerGroupCommand", *at, *back, "--topic", stack.topic(log))
        assert stack.log_range(log, 0, stage).committed == 0


@pytest.mark.servers
@pytest.mark.slow
def test_every_stage_works_by_its_own_name_and_rights_and_by_no_others(guarded: tuple[Stack, KafkaServer]) -> None:
    stack, kafka = guarded
    stack.activate()
    workers = [stack.start(stage, file_of(stack, kafka, stage)) for stage in STAGES]
    sent = [(b"any", event(f"shopper-{i % 20}", now(), message=f"m{i}")) for i in range(200)]
    stack.produce(sent, min(INPUTS))
    stack.until(lambda: sum(state.accepted for state in stack.states()) == len(sent))
    stack.settle("label", "learn")
    assert [worker.stop() for worker in workers] == [0, 0, 0]
    assert not any(worker.says("refuse") for worker in workers), stack.said()

    thief = stack.start("label", file_of(stack, kafka, "learn"))
    stack.until(lambda: thief.says("Kafka does not allow it"))
    stranger = stack.start("label", file_of(stack, kafka, "label", "guessed"))
    stack.until(lambda: stranger.says("no broker lets us in", "invalid credentials", "kafka.security right?"))
    assert not stranger.says("guessed")
    unknown = file_of(stack, kafka, "label")
    unknown.write_text(unknown.read_text().replace(f", ca_file: '{kafka.ca_file}'", ""))
    asked = stack.command("status", "--once", "--config", str(unknown))
    assert asked.process.wait(120) == 1
    assert asked.says("no broker lets us in", "certificate verify failed"), asked.output()
