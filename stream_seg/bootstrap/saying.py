"""Lines to the person at the terminal, beside whatever goes to standard output."""

from __future__ import annotations

import sys


def say(line: object) -> None:
    """One line on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
