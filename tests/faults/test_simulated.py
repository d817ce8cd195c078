"""Simulated histories: two writers, a reader, callers, a clock and a machine that loses power, all drawn from one seed; every invariant holds."""

import os

import pytest

from tests.held import Held
from tests.simulator.runs import play
from tests.simulator.simulation import simulate


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_whatever_happens_every_invariant_holds(soak: bool, held: Held) -> None:  # noqa: FBT001
    totals = play(range(1, 10_001) if soak else range(1, 201), processes=(os.cpu_count() or 1) if soak else 1)
    held(f"{totals}")
    assert not totals.broken, str(totals.broken[0])
    assert totals.counts["power losses"] > totals.seeds / 3
    assert totals.counts["kills"] > totals.seeds / 5
    assert totals.counts["answers lost"] > totals.seeds
    assert totals.counts["clock jumps"] > totals.seeds / 2
    assert totals.counts["acknowledged"] > 5 * totals.seeds


@pytest.mark.parametrize("seed", [3, 14])
def test_a_seed_tells_the_same_history_each_time(seed: int) -> None:
    assert str(simulate(seed)) == str(simulate(seed))
