"""deploy/kafka/acls.sh: a real Kafka takes its rights, and they name the topics and groups that the code has.

That a stage works with them and with nothing more is not shown: the product knows PLAINTEXT only, where everybody is
the same user.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stream_seg.adapters.kafka.topics import group_name, topic_name, topics
from stream_seg.cli.run import STAGES
from tests.deploy.compose import ROOT
from tests.servers.kafka import KafkaServer, jars

SCRIPT = ROOT / "deploy/kafka/acls.sh"
INPUTS = {"web.tracks", "app.tracks"}
KAFKA_ACLS = '#!/bin/sh\nexec java -Xmx128m -cp "$JARS" org.apache.kafka.tools.AclCommand "$@"\n'
NOTED = '#!/bin/sh\necho "$*" >>"$CALLS"\n'


def environment(directory: Path, kafka_acls: str) -> dict[str, str]:
    program = directory / "kafka-acls.sh"
    program.write_text(kafka_acls)
    program.chmod(0o755)
    return {
        "PATH": f"{directory}:{os.environ['PATH']}",
        "JARS": f"{jars()}/*",
        "CALLS": str(directory / "calls"),
    }


def rights(directory: Path) -> set[tuple[str, str, str]]:
    """(user, operation, topic or group) of everything that the script allows."""
    env = environment(directory, NOTED)
    subprocess.run(["sh", SCRIPT, "kafka:9092", "shop", " ".join(sorted(INPUTS))], env=env, check=True)
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


@pytest.mark.servers
@pytest.mark.slow
def test_a_real_kafka_takes_them(tmp_path: Path) -> None:
    authorizer: dict[str, Any] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    env = environment(tmp_path, KAFKA_ACLS)
    with KafkaServer(heap="400m", **authorizer) as kafka:
        subprocess.run(["sh", SCRIPT, kafka.bootstrap, "shop", ""], env=env, check=True, capture_output=True)
        listed = subprocess.run(
            ["kafka-acls.sh", "--bootstrap-server", kafka.bootstrap, "--list"],
            env=env, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    held = set(re.findall(r"principal=User:(\S+), host=\*, operation=(\w+), permissionType=ALLOW", listed))
    expected = {(user, operation) for user, operation, _ in rights(tmp_path) if user != "shop-ingest"}
    assert held == {(user, "DESCRIBE_CONFIGS" if op == "DescribeConfigs" else op.upper()) for user, op in expected}
