"""Compiles the kernels ahead: ``python -m stream_seg.bootstrap.warming``.

They are compiled once per machine and version and then come from numba's cache in a third of a second. A worker that
found no cache would need half a minute and 300 MB more; several at once would all do the same work.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stream_seg.bootstrap.saying import say


def warm() -> None:
    """Compiles in a process of its own if the cache is empty, and says so; it takes about half a minute."""
    from stream_seg.core import fold  # noqa: PLC0415  # numba is slow to load, and most commands need none of it

    cache = Path(fold.fold._cache.cache_path)  # type: ignore[attr-defined]  # noqa: SLF001  # numba tells it nowhere else
    if not any(cache.glob("fold.fold-*.nbi")):
        say("compiling the kernels: once, about half a minute")
        subprocess.run([sys.executable, "-m", "stream_seg.bootstrap.warming"], check=True)  # our module


def main() -> None:
    """Runs a few events through everything that is compiled."""
    import numpy as np  # noqa: PLC0415  # `warm` needs none of these, and commands call it

    from stream_seg.adapters.files.batch import Batch  # noqa: PLC0415  # as above
    from stream_seg.adapters.memory.replay import Replay  # noqa: PLC0415  # as above
    from stream_seg.core import definition as declared  # noqa: PLC0415  # as above
    from stream_seg.core.activation import Activation  # noqa: PLC0415  # as above

    features = (
        declared.Feature(name="n", aggregate="count", window=declared.DAY),
        declared.Feature(name="r", aggregate="recency"),
    )
    definition = declared.Definition(
        name="warm",
        features=features,
        input=declared.InputRules(clock="event"),
        learning=declared.Learning(k=2, warm_start=2, publish_every=declared.DAY),
        lateness=declared.DAY,
        forget_after=91 * declared.DAY,
    )
    version = declared.feature_set_version(definition)
    replay = Replay()
    first = Activation(number=1, definition=definition, feature_set_version=version, who="warm", at=0, why="warm")
    replay.start(first)
    times = 1_700_000_000_000 + np.arange(60) * (declared.DAY // 10)
    keys: list[bytes | None] = [b"anna" if i % 3 else b"bert" for i in range(60)]
    texts = [
        b'{"type":"track","event":"x","userId":"%s","messageId":"%d","timestamp":"%s"}'
        % (key, i, str(np.datetime64(int(at), "ms")).encode() + b"Z")
        for i, (key, at) in enumerate(zip(keys, times, strict=True))
        if key is not None
    ]
    replay.run([Batch(texts, keys, times, np.arange(60), ("warm",))], declared.DAY)
    if not any(replay.take("segment-changes")):
        raise SystemExit("the kernels are compiled, but decided nothing")


if __name__ == "__main__":
    main()
