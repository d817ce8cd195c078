"""`python -m tests.simulator --seed 17` plays one history and tells it; `--seeds 1000 --from 1` plays many and tells of the first that breaks."""

import argparse
import sys
import time

from tests.simulator.runs import play
from tests.simulator.simulation import simulate


def main() -> int:
    """Play what is asked for; 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one and tell it line by line")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first seed of many")
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--processes", type=int, default=1, help="side by side")
    asked = parser.parse_args()
    if asked.seed is not None:
        told = simulate(asked.seed)
        sys.stdout.write(f"{told}\n")
        return int(told.broken is not None)
    began = time.perf_counter()
    totals = play(range(asked.first, asked.first + asked.seeds), processes=asked.processes)
    sys.stdout.write(f"{totals}\n{time.perf_counter() - began:.1f} s\n")
    return int(bool(totals.broken))


if __name__ == "__main__":
    sys.exit(main())
