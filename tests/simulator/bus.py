"""The way of events from a log to the lookups through a hostile bus, drawn from a seed: publishers that end in the middle of a batch or
write though another has taken over, and workers who get everything again, late, from the wrong place, or lose their partitions unknowingly.

Records, shipments, workers, partitions and tables are the real ones; the broker is in memory, and workers take turns, one at a time.
"""

import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.kafka.sending import Unsure
from bus.kafka.shipping import Shipment
from bus.stored_text import StoredText
from domain.envelope import StoredEvent
from projections.catalogue import FOLDS
from projections.engine import Engine
from projections.evaluate import evaluate
from projections.fold import Home
from projections.plan import plans
from projections.versions import start
from readmodels.layout import State
from readmodels.lookups import LookupStore
from tests.projections.feed import MemoryFeed, state, wild_history
from tests.simulator.checks import compare
from tests.simulator.clients import Broken
from tests.simulator.memory_broker import MemoryBroker, MemorySender
from tests.simulator.simulation import MEMORY, Told
from tests.simulator.turns import Workplace
from tests.simulator.watched_lookups import SharedLookups
from tests.simulator.world import COUNTING

EVENTS: Final = (40, 160)
STEPS: Final = (60, 160)
SETTLED_WITHIN: Final = 400
"""Turns that one undisturbed worker may take to fold what there is."""
WORKERS: Final = ("one", "two", "three")


class BusSimulation:
    """A history on its way."""

    def __init__(self, seed: int, folder: Path, tables: type[SharedLookups]) -> None:
        self.told = Told(seed)
        self._chance = random.Random(f"bus {seed}")
        self._events = wild_history(self._chance.randrange(10**9), self._chance.randint(*EVENTS), ids=self._chance.randint(3, 12))
        self._written = 0
        self._broker = MemoryBroker(self._chance.randint(1, 4), random.Random(f"broker {seed}"))
        self._folds = [fold for fold in FOLDS if fold.name in COUNTING]
        self._path, self._tables = folder / "lookups.db", tables
        self._engine = self._opened()
        start(MemoryFeed(), [self._engine])
        self._places = {name: Workplace(name, self._opened, self._broker, random.Random(f"{name} {seed}")) for name in WORKERS}
        self._shipments: dict[str, Shipment | None] = {"A": None, "B": None}

    def run(self) -> Told:
        """The whole history. What does not hold is told in `broken`."""
        try:
            for _ in range(self._chance.randint(*STEPS)):
                self._chance.choices([do for do, _ in self._doings], [weight for _, weight in self._doings])[0]()
            self._settle()
            self._examine()
        except Broken as broken:
            self.told.broken = str(broken)
        finally:
            for place in self._places.values():
                place.end()
            self._close(self._engine)
        self.told.counts["events"] = len(self._events)
        return self.told

    @property
    def _doings(self) -> Sequence[tuple[Callable[[], None], int]]:
        return (
            (self._write, 10),
            (self._ship, 20),
            (self._take_turn, 50),
            (self._share, 6),
            (self._misplace, 4),
            (self._kill, 4),
            (self._wipe, 1),
        )

    def _write(self) -> None:
        self._written = min(len(self._events), self._written + self._chance.randint(1, 12))
        self._say(f"the log has {self._written} events")

    def _ship(self) -> None:
        """One of two publishers ships some, whether or not the other thinks it is the only one; it may end in the middle."""
        name = self._chance.choice(("A", "B"))
        fails = self._chance.random() < 0.25
        self._shipped(name, fails=fails)

    def _shipped(self, name: str, *, fails: bool) -> None:
        shipment = self._shipments[name]
        if shipment is None:
            shipment = self._shipments[name] = Shipment(MemorySender(self._broker), self._broker.tails())
            self._say(f"publisher {name} begins after {shipment.position} as number {shipment.epoch}")
        texts = [_text(event) for event in self._events[shipment.position : self._written][: self._chance.randint(1, 30)]]
        if not texts:
            return
        self._broker.failing = fails
        try:
            shipment.ship(texts, lambda _seconds: None)
            self._say(f"publisher {name} has shipped up to {shipment.position}")
        except Unsure as unsure:
            self._say(f"publisher {name} is unsure: {unsure.message}")
            self.told.counts["unsure"] += 1
            self._shipments[name] = None
        finally:
            self._broker.failing = False

    def _take_turn(self) -> None:
        place = self._places[self._chance.choice(WORKERS)]
        if not place.running:
            place.begin()
            self._broker.share()
            self._say(f"worker {place.name} joins")
            return
        self._say(f"worker {place.name}: {place.turn()}")
        if place.failure is not None:
            raise Broken(f"worker {place.name} ended: {place.failure!r}")

    def _share(self) -> None:
        self._broker.share()
        self.told.counts["rebalances"] += 1
        self._say(f"partitions are shared anew: {self._broker.shares}")

    def _misplace(self) -> None:
        """What the group says where to go on is anything."""
        part = self._chance.randrange(self._broker.partitions)
        self._broker.committed[part] = self._chance.randint(0, len(self._broker.records[part]))
        self._say(f"partition {part} is to be gone on with at offset {self._broker.committed[part]}")

    def _kill(self) -> None:
        place = self._places[self._chance.choice(WORKERS)]
        if place.running:
            place.end()
            self.told.counts["kills"] += 1
            self._say(f"worker {place.name} is KILLED")

    def _wipe(self) -> None:
        self._broker.wipe()
        self._shipments = dict.fromkeys(self._shipments)
        self.told.counts["wipes"] += 1
        self._say("the broker FORGETS everything")

    def _settle(self) -> None:
        """All goes well from now on: one publisher ships all, and one worker folds it."""
        self._say("all goes well from now on")
        self._written = len(self._events)
        while (shipment := self._shipments["A"]) is None or shipment.position < self._written:
            self._shipped("A", fails=False)
        for place in self._places.values():
            place.end()
        last = self._places["one"]
        self._broker.kind = True
        last.begin(kind=True)
        self._broker.share()
        for _ in range(SETTLED_WITHIN):
            if self._reached() == {self._written}:
                return
            self._say(f"worker one: {last.turn()}")
            if last.failure is not None:
                raise Broken(f"worker one ended: {last.failure!r}")
        raise Broken(f"the read models stay at {sorted(self._reached())} of {self._written}")

    def _reached(self) -> set[int]:
        versions = [version for version in self._engine.tables.versions() if version.state is State.SERVING]
        return {position for version in versions for position in (version.partitions or (version.position,))}

    def _examine(self) -> None:
        """Every row is what the log says, by the evaluator alone."""
        for version in self._engine.tables.versions():
            if version.error or version.base:
                raise Broken(f"{version.fold}: {version.error or 'it was folded as a whole'}")
        for plan in self._engine.plans.values():
            compare(self._engine, plan, evaluate(plan, self._events))

    def _opened(self) -> Engine:
        layouts = [plan.layout_in(Home.LOOKUPS) for plan in plans(self._folds, Home.LOOKUPS)]
        return Engine(self._tables(LookupStore.sqlite(self._path, layouts)), self._folds, MemoryFeed())

    @staticmethod
    def _close(engine: Engine) -> None:
        assert isinstance(engine.tables, SharedLookups)
        engine.tables.store.close()

    def _say(self, line: str) -> None:
        self.told.lines.append(f"{len(self.told.lines) + 1:3} {line}")


@dataclass(slots=True)
class BusTotals:
    """What many histories came to."""

    seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    broken: list[Told] = field(default_factory=list[Told])

    def __str__(self) -> str:
        said = ", ".join(f"{self.counts[name]:,} {name}" for name in ("events", "kills", "rebalances", "unsure", "wipes"))
        return f"{self.seeds:,} simulated histories of a hostile bus: {said}; " + (
            str(self.broken[0]) if self.broken else "all invariants held"
        )


def _text(event: StoredEvent) -> StoredText:
    return StoredText(event.position, event.stream_id, event.version, event.type, state(event))


def simulate_bus(seed: int, tables: type[SharedLookups] = SharedLookups) -> Told:
    """The history of a seed."""
    logging.disable(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="daybook-bus-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
            return BusSimulation(seed, Path(folder), tables).run()
    finally:
        logging.disable(logging.NOTSET)


def play_bus(seeds: Sequence[int]) -> BusTotals:
    """All of these."""
    totals = BusTotals()
    for seed in seeds:
        told = simulate_bus(seed)
        totals.seeds += 1
        totals.counts.update(told.counts)
        if told.broken:
            told.lines.append("again: python -c 'from tests.simulator.bus import simulate_bus; print(simulate_bus(" + str(seed) + "))'")
            totals.broken.append(told)
    return totals
