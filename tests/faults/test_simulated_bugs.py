"""The simulator can fail: it finds every bug that is planted, and the seed that found it finds it again."""

import pytest

from tests.held import Held
from tests.simulator.bugs import BUGS
from tests.simulator.simulation import simulate

WITHIN = 100
"""Seeds."""


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, held: Held) -> None:
    found = next((told for seed in range(1, WITHIN + 1) if (told := simulate(seed, BUGS[bug])).broken), None)
    assert found is not None, f"{WITHIN} histories did not show that {bug}"
    assert simulate(found.seed, BUGS[bug]).broken
    assert f"--seed {found.seed}" in str(found)
    held(f"{bug}: found by seed {found.seed}: {(found.broken or '')[:150]}")
