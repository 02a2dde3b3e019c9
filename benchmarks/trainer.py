"""What LEARN's memory comes to with millions of customers: ``python -m benchmarks.trainer`` (some minutes).

Every sample is another customer's and goes through the real LEARN; a day ends after each million. Prints the resident
memory and the time for a sample after each, and JSON as the last line; a run of all ten million also writes
``benchmarks/results/trainer.json``. The store that stands for Redis is in the same process, and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.meter import resident_mb
from benchmarks.origin import origin
from benchmarks.throughput import machine, say
from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.trial import Trial
from stream_seg.core.activation import Activation
from stream_seg.core.definition import BASE, DAY, Definition, Feature, Learning, feature_set_version
from stream_seg.core.hashing import customer_hash
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.output import sample_message

RESULTS = Path(__file__).parent / "results" / "trainer.json"
COLUMNS = 18
ALL = 10_000_000  # customers
A_DAY = 1_000_000  # customers
AT_ONCE = 4_000  # records, as LEARN reads them
START = 20_000 * DAY


def begun() -> Trial:
    """A LEARN that knows nobody yet."""
    features = tuple(Feature(name=f"f{i}", aggregate="count", window=DAY) for i in range(COLUMNS))
    definition = Definition(name="many", features=features, lateness=DAY, forget_after=91 * DAY)
    version = feature_set_version(definition)
    activation = Activation(number=1, definition=definition, feature_set_version=version, who="bench", at=0, why="")
    return Trial.begin(activation, Learning())


def samples(first: int, count: int, at: int, vectors: list[list[float]]) -> Iterator[LogRecord]:
    """One sample of each of `count` customers from number `first` on."""
    for i in range(first, first + count):
        customer = b"customer-%08d" % i
        hashed = np.uint64(customer_hash(customer)).astype(np.int64)
        vector = vectors[i % len(vectors)]
        yield _record(sample_message(customer, 1, 1, at - 1, at - 2, int(hashed), vector, 1, 0, BASE, -1, 0))


def _record(message: Message) -> LogRecord:
    return LogRecord("samples", 0, 0, message.key, message.value, message.headers, 0)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.trainer")
    arguments.add_argument("--customers", type=int, default=ALL)
    wanted = arguments.parse_args().customers
    result: dict[str, Any] = origin()
    trial, random = begun(), np.random.default_rng(1)
    vectors = random.gamma(1.0, size=(AT_ONCE, COLUMNS)).tolist()
    memory, spent = {}, 0.0
    for done in range(0, wanted, A_DAY):
        at = START + (done // A_DAY + 1) * DAY
        until = min(done + A_DAY, wanted)
        for first in range(done, until, AT_ONCE):
            records = list(samples(first, min(AT_ONCE, until - first), at, vectors))
            began = time.process_time()
            trial.day(records)
            spent += time.process_time() - began
        began = time.process_time()
        trial.day([_record(control.control("samples", control.PASSED_DAY, control.PassedDay(0, 1, at), 0))])
        spent += time.process_time() - began
        memory[until] = round(resident_mb(os.getpid()), 1)
        say(f"{until:>12,} customers: {memory[until]:.0f} MB, {1e6 * spent / until:.1f} us a sample")
    if trial.model is None:
        raise SystemExit("no model was learned")
    result |= {"resident_mb": memory, "us_a_sample": round(1e6 * spent / wanted, 2)}
    result |= {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    if wanted == ALL:  # a part of the figures must not stand for all
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
