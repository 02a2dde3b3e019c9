"""A server process that never outlives us, whatever ends us, and that a Ctrl-C in the terminal does not reach.

Each server runs under a small `/bin/sh` in a session of its own. The shell watches the read end of a pipe whose
write end only we hold: when it closes (we stop the server, or we die in any way, `kill -9` included), the shell
ends the server and removes its directory. A death signal (`PR_SET_PDEATHSIG`) would need a Linux, and fires when
the *thread* that started the server ends. The session of its own keeps Ctrl-C from the server: workers still have
to finish their batch, and need it for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stream_seg.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

START_SECONDS = 20.0
STOP_SECONDS = 5.0
LOG_TAIL = 2_000  # characters of a server's log that an error message quotes

_GUARD = """
exec 3<&0
dir=$1; shift
"$@" </dev/null 3<&- & server=$!
echo $server >"$dir/pid"
( read -r _ <&3; : >"$dir/ended"; kill $server 2>/dev/null ) & watch=$!
wait $server; code=$?
kill $watch 2>/dev/null
[ -e "$dir/ended" ] && rm -rf "$dir"
exit $code
"""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Child:
    """One running server. `pid` is the server's own; its log and files are in `directory` until `stop`."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix=f"stream-seg-{name}-"))
        with (self.directory / "log").open("wb") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - the command is ours
                ["/bin/sh", "-c", _GUARD, "guard", str(self.directory), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The server's process id."""
        return int((self.directory / "pid").read_text())

    @property
    def ended(self) -> bool:
        """True once the server has gone by itself or been stopped."""
        return self._guard.poll() is not None

    def log_tail(self) -> str:
        """The end of what the server wrote, for error messages."""
        log = self.directory / "log"
        return log.read_text(errors="replace")[-LOG_TAIL:] if log.exists() else ""

    def wait_until(self, answers: Callable[[], bool]) -> bool:
        """Waits until `answers` does. False: the server ended first.

        Raises
        ------
        Unavailable
            It runs and does not answer.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.ended:
                return False
            if answers():
                return True
            time.sleep(0.01)
        raise Unavailable(f"the embedded {self.name} server runs and does not answer; its log ends:\n{self.log_tail()}")

    def stop(self) -> None:
        """Ends the server and removes its directory. Stopping twice is stopping once."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            self._guard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # The guard leads a session that holds only itself and the server.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()
        _remove(self.directory)


def _remove(directory: Path) -> None:
    """Removes what a server that ended by itself, or had to be killed, left behind."""
    if not directory.exists():
        return
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    directory.rmdir()
