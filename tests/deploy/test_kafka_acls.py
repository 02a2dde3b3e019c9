"""deploy/kafka/acls.sh: its rights name the topics and groups that the code has, and an operator needs no others.

That a stage works with its own and with nothing more is not shown. The product knows PLAINTEXT only, where everybody
is the same user: here, the operator.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from stream_seg.adapters.kafka.topics import group_name, topic_name, topics
from stream_seg.bootstrap.servers import create_product_topics
from stream_seg.cli.run import STAGES
from tests.deploy.compose import ROOT
from tests.live.stack import Stack, Worker
from tests.servers.kafka import KafkaServer, jars
from tests.servers.redis import RedisServer

SCRIPT = ROOT / "deploy/kafka/acls.sh"
INPUTS = {"web.tracks", "app.tracks"}
JAVA = 'exec java -Xmx128m -cp "$JARS" org.apache.kafka.tools'
# Over PLAINTEXT nobody has a name, so who has none is made the operator.
KAFKA_ACLS = f"""#!/bin/sh
for word do
  case $word in User:*-operator) word=User:ANONYMOUS;; esac
  shift; set -- "$@" "$word"
done
{JAVA}.AclCommand "$@"
"""
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


@pytest.fixture
def operated(tmp_path: Path, redis_server: RedisServer) -> Iterator[Stack]:
    """A segmentation with its topics, on a Kafka where everybody is its operator."""
    authorizer: dict[str, Any] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",  # the broker itself has no name either; what has a rule is closed
    }
    with (
        KafkaServer(heap="400m", **authorizer) as kafka,
        Stack(kafka.bootstrap, redis_server.url, tmp_path, WITH_INGEST, partitions=1) as stack,
    ):
        create_product_topics(stack.config)
        env = environment(tmp_path, KAFKA_ACLS)
        named = [kafka.bootstrap, stack.name, " ".join(sorted(INPUTS))]
        subprocess.run(["sh", SCRIPT, *named], env=env, check=True, capture_output=True)
        yield stack


def kafka_tool(directory: Path, *words: str) -> str:
    env = environment(directory, KAFKA_ACLS)
    command = ["sh", "-c", f'{JAVA}."$@"', "sh", *words]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.servers
@pytest.mark.slow
def test_a_real_kafka_takes_them_and_every_command_of_an_operator_works_with_no_others(
    operated: Stack, tmp_path: Path
) -> None:
    stack, at = operated, ("--bootstrap-server", operated.bootstrap)

    def ended(*words: str, code: int = 0) -> Worker:
        command = stack.command(*words, *([] if words[0] == "apply" else ["--config", str(stack.file)]))
        assert command.process.wait(120) == code, command.output()
        return command

    ended("apply", str(stack.file), "--why", "first")
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
    logs = [("label", "events"), ("learn", "samples")]
    for stage, log in logs:  # as docs/operating.md says, where Redis lost everything
        back = ["--reset-offsets", "--to-earliest", "--execute", "--group", group_name(stack.name, stage)]
        kafka_tool(tmp_path, "consumer.group.ConsumerGroupCommand", *at, *back, "--topic", stack.topic(log))
        assert stack.log_range(log, 0, stage).committed == 0
    with pytest.raises(TopicAuthorizationFailedError):
        stack.produce([(b"ann", b"{}")], "segment-changes")

    listed = kafka_tool(tmp_path, "AclCommand", *at, "--list")
    held = set(re.findall(r"principal=User:(\S+), host=\*, operation=(\w+), permissionType=ALLOW", listed))
    expected = {(user, operation) for user, operation, _ in rights(tmp_path, stack.name)}
    named = {"DescribeConfigs": "DESCRIBE_CONFIGS"}
    assert held == {
        ("ANONYMOUS" if user.endswith("-operator") else user, named.get(operation, operation.upper()))
        for user, operation in expected
    }
