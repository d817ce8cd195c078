"""Many histories, one after the other or side by side, and their totals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulator.simulation import Told, simulate


@dataclass(slots=True)
class Totals:
    """What all of them came to."""

    seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    broken: list[Told] = field(default_factory=list[Told])

    def add(self, told: Told) -> None:
        """One more."""
        self.seeds += 1
        self.counts.update(told.counts)
        if told.broken:
            self.broken.append(told)

    def __str__(self) -> str:
        many = self.counts
        said = ", ".join(
            f"{many[name]:,} {name}" for name in ("power losses", "kills", "answers lost", "clock jumps", "unavailable", "rebuilds")
        )
        return (
            f"{self.seeds:,} simulated histories: {many['commands']:,} commands, {many['acknowledged']:,} acknowledged, "
            f"{many['refused']:,} refused, {many['events']:,} events; {said}; "
            + (f"{len(self.broken)} broke:\n{self.broken[0]}" if self.broken else "lost 0, duplicated 0, all invariants held")
        )


def play(seeds: Sequence[int], *, processes: int = 1) -> Totals:
    """All of these seeds; each history depends on its seed only, so it does not matter how they are shared out."""
    totals = Totals()
    for told in _played(seeds, processes):
        totals.add(told)
    return totals


def _played(seeds: Sequence[int], processes: int) -> Iterable[Told]:
    if processes == 1:
        yield from map(simulate, seeds)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(simulate, seeds, chunksize=10)
