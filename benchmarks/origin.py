"""Which code was measured: a figure says the commit that it is of."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MEASURED = ("stream_seg", "benchmarks", "constraints.txt", ":!benchmarks/results")


def origin() -> dict[str, Any]:
    """The commit that the working tree stands at, and whether what is measured was changed since.

    None where there is no git. Ask before a run: a long one may see another commit at its end.
    """
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", *MEASURED)
    return {"commit": commit, "changed_since": None if changed is None else bool(changed)}


def _git(*arguments: str) -> str | None:
    try:
        found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def told(results: dict[str, Any]) -> str:
    """In words.

    >>> told({"commit": "0123456789abcdef", "changed_since": True})
    'commit 0123456789 and changes since'
    >>> told({"date": "2030-01-01"})
    'commit –'
    """
    commit = results.get("commit")
    if commit is None:
        return "commit –"
    return f"commit {commit[:10]}" + (" and changes since" if results.get("changed_since") else "")
