"""What was in force in which order, and where a rollback leads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream_seg.errors import Stop
from stream_seg.wire.activations import Activated


def in_order(entries: Iterable[Activated]) -> list[Activated]:
    """The history by number. The topic may hold an entry twice, and compaction keeps no order of ours."""
    found = {entry.number: entry for entry in entries}
    return [found[number] for number in sorted(found)]


def rolled_back_to(history: Sequence[Activated], wanted: int | None = None) -> int:
    """The version that a rollback puts in force: the one before, or `wanted`. Raises `Stop` where there is none.

    A rollback takes back: what it left does not count as "before" any more. So a second one goes one further, and never
    to the version that the first one left.

    >>> def entry(number: int, version: int, kind: str = "model") -> Activated:
    ...     return Activated(number, kind, "all", version, "3f9a0c1e77b2", "walk", "ann", "", "")
    >>> history = [entry(1, 1), entry(2, 2), entry(3, 3)]
    >>> rolled_back_to(history)
    2
    >>> rolled_back_to([*history, entry(4, 2, "rollback")])
    1
    >>> rolled_back_to([*history, entry(4, 1, "promote")])
    3
    """
    kept = _kept(history)
    if not kept:
        raise Stop(
            "the history names no version, so there is nothing to take back: none was in force yet, or the history was "
            "not kept yet when it came; `stream-seg model promote` puts any version in force"
        )
    *before, current = kept
    if wanted is None:
        if not before:
            raise Stop(
                f"no version was in force before version {current} (what a rollback left does not count); "
                "`stream-seg model list` shows all, `stream-seg model promote` puts any of them in force"
            )
        return before[-1]
    if wanted not in before and wanted != current:
        those = ", ".join(str(version) for version in dict.fromkeys(before)) or "none"
        raise Stop(
            f"version {wanted} was not in force before version {current} (before it: {those}); to put it in force: "
            f"`stream-seg model promote {wanted}`"
        )
    return wanted


def _kept(history: Sequence[Activated]) -> list[int]:
    """The versions in the order in which they came into force, without those that were taken back."""
    kept: list[int] = []
    for entry in history:
        version = entry.model_version
        if version is None or (kept and kept[-1] == version):
            continue  # a changed definition keeps its model
        if entry.kind == "rollback" and version in kept:
            while kept[-1] != version:
                kept.pop()
        else:
            kept.append(version)
    return kept
