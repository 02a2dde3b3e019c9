"""``--from RUN``: an earlier run made again, and held against it."""

from pathlib import Path
from typing import Any


def held_against(run: Path, again: Path, found: dict[str, Any]) -> str:
    """What came out differently, in a sentence; the names of the files become `differing` in the document."""
    from stream_seg.explore.run import differing  # noqa: PLC0415  # --help is fast

    files, versions = differing(run, again)
    found["differing"] = files
    if not files:
        return f"the same as {run}, byte for byte"
    made = f"; that was made with {', '.join(versions)}" if versions else ""
    return f"not the same as {run}: {', '.join(files)}{made}"
