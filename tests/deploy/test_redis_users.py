"""deploy/redis/users.acl: each stage does its work with the rights of its user, and can do no other's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from tests.deploy.compose import ROOT
from tests.live.conftest import StackMaker, stack_of
from tests.live.stack import Stack
from tests.live.workload import SECONDS, Orders, given
from tests.servers.kafka import free_ports
from tests.servers.redis import RedisServer

__all__ = ["stack_of"]
pytestmark = [pytest.mark.servers, pytest.mark.slow]

FILE = ROOT / "deploy/redis/users.acl"
USERS = {line.split()[1]: line.split()[2:] for line in FILE.read_text("utf-8").splitlines()}
BY_CONNECTING = {"hello", "auth", "client|setinfo", "client|setname", "select", "ping"}  # as each driver likes


def rights(user: str) -> set[str]:
    return {word[1:] for word in USERS[user] if word.startswith("+")}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """A server with the file's users, for the names that tests give, and one who may do everything beside them."""
    users = tmp_path / "users.acl"
    users.write_text(FILE.read_text("utf-8").replace("~shop:", "~live-*:") + "user admin on >admin ~* &* +@all\n")
    with RedisServer(aclfile=str(users)) as server:
        yield server


def address(server: RedisServer, user: str) -> str:
    return f"redis://{user}:{'admin' if user == 'admin' else f'replace-{user}'}@127.0.0.1:{server.port}/0"


def refused(server: RedisServer, user: str, *words: str) -> None:
    with Redis.from_url(address(server, user)) as client, pytest.raises(NoPermissionError):
        client.execute_command(*words)


def file_of(stack: Stack, user: str, port: int = 0) -> Path:
    """The stack's configuration as it is deployed for a user: the password in a file beside it, health at a port."""
    secret = stack.directory / f"secret-{user}"
    secret.write_text(f"replace-{user}")
    path = stack.directory / f"{user}.yaml"
    found = re.compile(r"^redis: \{(.*)\}$", re.MULTILINE)
    with_user = rf"redis: {{\1, username: {user}, password_file: '{secret}'}}"
    path.write_text(f"{found.sub(with_user, stack.file.read_text())}\nrun: {{metrics_port: {port}}}\n")
    return path


def test_the_stages_and_the_queries_work_with_their_rights_and_use_every_one(
    stack_of: StackMaker, guarded: RedisServer
) -> None:
    url = f"redis://127.0.0.1:{guarded.port}/0"
    stack = stack_of(SECONDS, redis_url=url)
    stack.activate(given(stack.config))
    stack.redis_url = address(guarded, "admin")  # for the test's own looks; the files keep what they have
    stages = [
        stack.command("run", "--stages", stage, "--config", str(file_of(stack, stage, port)))
        for stage, port in zip(("label", "learn"), free_ports(2), strict=True)
    ]
    orders = Orders()
    for _ in range(3):
        stack.produce(orders.some(200))
        stack.settle("label", "learn")
    assert stack.read("customer-segments")

    with Redis.from_url(address(guarded, "admin")) as admin:
        key = next(admin.scan_iter("*:c:shopper-*")).decode()
    reader = str(file_of(stack, "reader"))
    for words in (["segments"], ["customer", key.rpartition(":")[2]], ["who", "drifting-away"], ["model", "list"]):
        asked = stack.command(*words, "--config", reader)
        assert asked.process.wait(120) == 0, asked.output()
    for user, words in (("label", ["backfill"]), ("reader", ["apply", "--backfilled", "--why", "test"])):
        changed = file_of(stack, user)
        month = "- {name: month, aggregate: count, window: 30d}\ntime:"
        changed.write_text(changed.read_text().replace("time:", month))
        asked = stack.command(*words, str(changed))
        assert asked.process.wait(120) == 0, asked.output()
    stack.produce(orders.some(20))
    stack.settle("label", "learn")
    doctor = stack.command("doctor", "--config", reader)
    doctor.process.wait(120)
    assert doctor.says("redis", "answers"), doctor.output()
    assert doctor.says("label outbox"), doctor.output()  # it could look at what stages keep
    assert [stage.stop() for stage in stages] == [0, 0]
    for words, config in (
        (["snapshot", str(stack.directory / "shop.snapshot")], reader),
        (["rebuild", "--partition", "0"], str(file_of(stack, "label"))),
    ):
        asked = stack.command(*words, "--config", config)
        assert asked.process.wait(120) == 0, asked.output()

    with Redis.from_url(address(guarded, "admin")) as admin:
        used = {name.removeprefix("cmdstat_") for name in admin.info("commandstats")}
    named = set().union(*(rights(user) for user in USERS))
    # Who moves, is forgotten or loses the last of a segment needs these; tests/docs/test_operating_page.py uses them.
    assert named - used - BY_CONNECTING - {"del", "lpush", "ltrim", "hdel", "xtrim"} == set()


@pytest.mark.parametrize(
    ("user", "words"),
    [
        *[(user, ("FLUSHALL",)) for user in ("ingest", "label", "learn", "reader")],
        *[(user, ("KEYS", "*")) for user in ("ingest", "label", "learn", "reader")],
        *[(user, ("CONFIG", "SET", "maxmemory", "1")) for user in ("ingest", "label", "learn", "reader")],
        ("label", ("HSET", "live-1:{learn-0}:meta", "a", "b")),
        ("label", ("HGETALL", "other:{label-0}:meta")),
        ("learn", ("HSET", "live-1:{label-0}:meta", "a", "b")),
        ("learn", ("GET", "live-1:{label-0}:c:ann")),
        ("ingest", ("HSET", "live-1:{label-0}:meta", "a", "b")),
        ("ingest", ("GET", "live-1:{label-0}:c:ann")),
        ("reader", ("HSET", "live-1:{label-0}:meta", "a", "b")),
        ("reader", ("DEL", "live-1:{label-0}:c:ann")),
        ("reader", ("GET", "live-1:{fill-0}:c:ann")),
    ],
)
def test_what_is_another_users_or_nobodys_is_refused(guarded: RedisServer, user: str, words: tuple[str, ...]) -> None:
    refused(guarded, user, *words)


def test_nobody_gets_in_without_a_name(guarded: RedisServer) -> None:
    with (
        Redis.from_url(f"redis://127.0.0.1:{guarded.port}/0") as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()


def test_every_password_has_to_be_replaced_and_every_stage_has_a_user() -> None:
    assert USERS.pop("default") == ["off"]
    assert USERS.keys() == {"ingest", "label", "learn", "reader"}
    assert {user: [word for word in words if word.startswith(">")] for user, words in USERS.items()} == {
        user: [f">replace-{user}"] for user in USERS
    }
