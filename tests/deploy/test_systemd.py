"""The unit of systemd, and what it is told over its socket."""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stream_seg.bootstrap.supervisor import MISCONFIGURED
from stream_seg.bootstrap.systemd import ServiceManager
from stream_seg.config import load
from stream_seg.config.environment import PREFIX, RESERVED, variables
from tests.deploy.compose import ROOT
from tests.docs.pages import understood
from tests.live.conftest import StackMaker, stack_of
from tests.live.workload import WEEKS
from tests.servers.kafka import free_ports

__all__ = ["stack_of"]
UNIT = ROOT / "deploy/systemd/stream-seg.service"
TEXT = UNIT.read_text("utf-8")


def settings(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that systemd would read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        here.bind(str(tmp_path / "notify"))
        here.settimeout(120)
        yield here


def manager(told: socket.socket, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": told.getsockname(), "WATCHDOG_USEC": "30000000", **more})


def heard(told: socket.socket) -> str | None:
    """What lies there now."""
    ready, _, _ = select.select([told], [], [], 0)
    return told.recv(100).decode() if ready else None


@contextmanager
def health(status: int) -> Iterator[int]:
    """A process that answers so on its health pages; its port."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.servers
def test_a_run_says_that_it_is_ready_that_it_lives_and_that_it_stops(
    told: socket.socket, stack_of: StackMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", told.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    (port,) = free_ports(1)
    stack = stack_of(f"{WEEKS}\nrun: {{metrics_port: {port}}}\n")
    run = stack.command("run", "--stages", "label", "--config", str(stack.file))
    assert told.recv(100) == b"READY=1", run.output()
    (child,) = run.children()
    assert Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[3] == b"label"
    assert told.recv(100) == b"WATCHDOG=1"
    assert told.recv(100) == b"WATCHDOG=1"  # again and again
    assert run.stop() == 0
    said = [told.recv(100)]
    while said[-1] == b"WATCHDOG=1":
        said.append(told.recv(100))
    assert said[-1] == b"STOPPING=1"


def test_the_watchdog_hears_of_processes_that_answer(told: socket.socket) -> None:
    with health(200) as one, health(200) as other:
        manager(told).look([one, other], "127.0.0.1")
    assert heard(told) == "WATCHDOG=1"


def test_the_watchdog_hears_nothing_where_one_process_is_not_alive(told: socket.socket) -> None:
    with health(200) as one, health(503) as other:
        manager(told).look([one, other], "127.0.0.1")
    assert heard(told) is None


def test_the_watchdog_hears_nothing_where_one_process_does_not_answer(told: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, as a stopped process does
        manager(told).look([silent.getsockname()[1]], "127.0.0.1")
    assert heard(told) is None


def test_the_watchdog_is_not_spoken_to_more_often_than_it_needs(told: socket.socket) -> None:
    service = manager(told)
    service.look([], "127.0.0.1")
    service.look([], "127.0.0.1")
    assert [heard(told), heard(told)] == ["WATCHDOG=1", None]


@pytest.mark.parametrize("env", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": ""}])
def test_a_watchdog_of_another_process_or_none_hears_nothing(told: socket.socket, env: dict[str, str]) -> None:
    manager(told, **env).look([], "127.0.0.1")
    assert heard(told) is None


def test_an_abstract_socket_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        here.bind("")  # the kernel chooses an abstract name
        ServiceManager({"NOTIFY_SOCKET": "@" + here.getsockname()[1:].decode()}).ready()
        assert heard(here) == "READY=1"


def test_without_systemd_nothing_is_said() -> None:
    service = ServiceManager({"WATCHDOG_USEC": "1000000"})
    service.ready()
    service.look([], "127.0.0.1")
    service.stopping()


def test_systemd_itself_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    assert analyse, "systemd-analyze is missing: apt-get install systemd"
    here = str(Path(sys.executable).with_name("stream-seg"))
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("/opt/stream-seg/bin/stream-seg", here))
    assert here in unit.read_text()
    done = subprocess.run([analyse, "verify", unit], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []
    assert done.returncode == 0, done.stderr


def test_the_unit_calls_what_the_command_line_has_with_variables_that_are_read() -> None:
    given = dict(pair.split("=", 1) for pair in settings("Environment"))
    (command,) = settings("ExecStart")
    understood(command.replace("${STAGES}", given["STAGES"]).split()[1:])
    named = {*re.findall(rf"({PREFIX}\w+)=", TEXT)}
    assert len(named) == 3
    assert named <= {*variables(), *RESERVED}
    load(ROOT / "examples/segmentation.yaml", {name: given[name] for name in named & given.keys() - RESERVED.keys()})
    assert settings("RestartPreventExitStatus") == [str(MISCONFIGURED)]
    assert settings("Type") == ["notify"]
