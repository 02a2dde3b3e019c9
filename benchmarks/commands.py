"""How long what a newcomer types takes: ``python -m benchmarks.commands [demo] [test]`` after ``make setup``.

Writes ``benchmarks/results/commands.json``; what is not asked for keeps the figure that it has there. A command that
fails leaves no figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from datetime import UTC, datetime

from benchmarks.figures import COMMANDS, ROOT
from benchmarks.throughput import machine

KNOWN = ("demo", "test")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.commands")
    arguments.add_argument("commands", nargs="*", help="of " + ", ".join(KNOWN))
    asked = arguments.parse_args().commands or KNOWN
    if unknown := set(asked) - set(KNOWN):
        arguments.error(f"no such command: {', '.join(sorted(unknown))}; there are {', '.join(KNOWN)}")
    results = json.loads(COMMANDS.read_text("utf-8")) if COMMANDS.exists() else {}
    for name in asked:
        began = time.monotonic()
        subprocess.run(["make", name], cwd=ROOT, check=True)
        results[f"{name}_s"] = round(time.monotonic() - began, 1)
    results |= {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    COMMANDS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
