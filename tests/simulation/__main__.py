"""Many seeds, or one with its whole story."""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

from tests.simulation.many import run_many
from tests.simulation.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many schedules to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--verbose", action="store_true", help="tell every step")
    asked = parser.parse_args()
    if asked.seed is not None:
        result = run(asked.seed, tell=True)
        if asked.verbose or result.wrong:
            print(result.told)
        print(result.wrong or f"seed {asked.seed}: equals the oracle after {result.steps} steps, {dict(result.struck)}")
        return int(result.wrong is not None)
    begin = perf_counter()
    report = run_many(range(asked.first, asked.first + asked.seeds))
    print(report.told())
    print(f"{asked.seeds} seeds in {perf_counter() - begin:.1f} s", file=sys.stderr)
    return int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
