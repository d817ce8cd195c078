"""Simulated histories of a hostile bus: whatever is delivered twice, late, to the wrong worker or not at all, the lookups are what the log says."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from readmodels.layout import Move, Moved
from readmodels.lookup_writing import LookupWriter
from tests.held import Held
from tests.simulator.bus import play_bus, simulate_bus
from tests.simulator.watched_lookups import SharedLookups

WITHIN = 60


class PartitionsTrusted(SharedLookups):
    """Partitions are moved on, wherever they were."""

    def prepared(self, writer: LookupWriter) -> LookupWriter:
        """Moves without comparing."""

        def move(moves: Sequence[Move]) -> None:
            for each in moves:
                where = (each.after, each.version.fold, each.version.number, each.partition)
                writer.connection.exec_driver_sql(
                    "UPDATE partitions SET position = ? WHERE fold = ? AND number = ? AND partition = ?", where
                )

        changed: Any = writer
        changed.move = move
        return writer


class MovedSwallowed(SharedLookups):
    """Whoever was overtaken writes its rows all the same."""

    def prepared(self, writer: LookupWriter) -> LookupWriter:
        """Moves what it can."""
        really, changed = writer.move, writer

        def move(moves: Sequence[Move]) -> None:
            with suppress(Moved):
                really(moves)

        any_writer: Any = changed
        any_writer.move = move
        return writer


BUGS = {"positions are not compared": PartitionsTrusted, "a worker that was overtaken writes": MovedSwallowed}


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_hostile_bus_neither_loses_nor_doubles_anything(soak: bool, held: Held) -> None:  # noqa: FBT001
    totals = play_bus(range(1, 2_001) if soak else range(1, 41))
    held(f"{totals}")
    assert not totals.broken, str(totals.broken[0])
    for what in ("kills", "rebalances", "unsure"):
        assert totals.counts[what] > totals.seeds
    assert totals.counts["wipes"] > totals.seeds / 3


@pytest.mark.parametrize("seed", [5, 8])
def test_a_seed_tells_the_same_history_of_the_bus_each_time(seed: int) -> None:
    assert str(simulate_bus(seed)) == str(simulate_bus(seed))


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_of_the_bus_is_found(bug: str) -> None:
    found = next((told for seed in range(1, WITHIN + 1) if (told := simulate_bus(seed, BUGS[bug])).broken), None)
    assert found is not None, f"{WITHIN} histories did not show that {bug}"
