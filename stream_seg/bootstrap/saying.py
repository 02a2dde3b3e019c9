"""Lines to the person at the terminal, beside whatever goes to standard output."""

from __future__ import annotations

import logging
import sys

from stream_seg.bootstrap.logs import Lines

log = logging.getLogger(__name__)


def say(line: object, level: int = logging.INFO) -> None:
    """One line on standard error: among the log's, in its form, while there is one (`stream_seg.bootstrap.logs`)."""
    if any(isinstance(handler, Lines) for handler in logging.getLogger().handlers):
        log.log(level, "%s", line)
        return
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
