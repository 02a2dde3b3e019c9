"""The entry of a stage's process: ``python -m stream_seg.bootstrap.worker <stage> <config> [--embedded]``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from stream_seg.bootstrap.saying import say
from stream_seg.config import load
from stream_seg.errors import StreamSegError

# The thread that fetches and answers heartbeats has little to do, and everybody waits for it: it must not wait 5 ms for
# its turn. From produced to movement readable at 22,000 events/s: p50 98 to 77 ms, p99 305 to 218 (one run each).
SWITCH = 0.0005  # seconds


def _end_with_the_supervisor() -> None:
    """Standard input closes when the supervisor is gone, however it went.

    Not through Python's own buffer: its lock, held while the process ends with an exit code, would abort it instead.
    """
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Runs the stage; the exit code says how it ended."""
    stage, path, *flags = sys.argv[1:]
    try:
        config = load(Path(path), os.environ)
    except StreamSegError as error:
        say(error)
        raise SystemExit(2) from None
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    sys.setswitchinterval(SWITCH)
    # river looks for it as it loads. It belongs to the extra `explore`: no worker needs it, and it is slow to load.
    sys.modules["sklearn"] = None  # type: ignore[assignment]  # how Python marks what is not to be imported
    if stage != "learn":
        # numba would load scipy for kernels that do linear algebra; none of these stages has one: 14 MB less.
        sys.modules["scipy"] = None  # type: ignore[assignment]  # as above
    from stream_seg.bootstrap.stages import run_stage  # noqa: PLC0415  # with numba, which looks for scipy as it loads

    run_stage(config, stage, embedded="--embedded" in flags, quiet="--quiet" in flags)


if __name__ == "__main__":
    main()
