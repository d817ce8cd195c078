"""What runs on the simulated machine: two processes that write to one log, and one that folds it and hashes it."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Final

from bus.erasures import ErasureList
from bus.keystore import open_vault
from bus.log import Log
from bus.stored import StoredEvents, open_stored
from bus.vault import Vault
from commands.dispatch import Dispatcher
from domain.envelope import StoredEvent
from projections.engine import Engine, Target
from projections.feed import Feed
from projections.fold import Fold, Home
from projections.follower import Follower
from projections.plan import plans
from projections.versions import start
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore
from replay.audit.keeping import catch_up
from replay.audit.tree import Tree
from tests.simulator.clock import Clock
from tests.simulator.machine import Machine
from tests.simulator.watched import WatchedFacts, WatchedLog, WatchedLookups

MASTER_KEY: Final = bytes(range(32))
SLOWLY: Final = 10**9
"""A lag from which on folding is DuckDB's that no history has."""
COUNTING: Final = ("customer_360", "opportunities", "requests")
"""Read models in which an event that is folded twice counts twice."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the processes are made of; a planted bug takes the place of one part."""

    log: type[WatchedLog] = WatchedLog
    lookups: type[WatchedLookups] = WatchedLookups
    dispatcher: type[Dispatcher] = Dispatcher
    feed: Callable[[Log], Feed] = field(default=lambda log: log)
    synced: bool = True
    """Whether a commit is on the disk before it is told of."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is different from one history to the next."""

    folds: tuple[Fold, ...]
    facts: bool
    """Whether there are facts too."""
    bulk_lag: int
    """Which evaluator folds while the history goes on: Python's, or with 0 DuckDB's."""
    checkpoint: int


class Writer:
    """A process that writes."""

    def __init__(self, machine: Machine, clock: Clock, parts: Parts, shape: Shape) -> None:
        with ExitStack() as opened:
            self.vault = opened.enter_context(closing(opened_vault(machine)))
            self.log = parts.log(machine.folder / "log.db", self.vault, machine, checkpoint=shape.checkpoint)
            opened.callback(self.log.close)
            secret = self.vault.secret("fingerprints")
            self.dispatcher = parts.dispatcher(self.log, base_currency="EUR", clock=clock, fingerprint_key=secret)
            self.close = opened.pop_all().close


def opened_vault(machine: Machine) -> Vault:
    """The keys, as a process has them that begins now."""
    return open_vault(machine.folder / "keys.db", MASTER_KEY, erasures=ErasureList(machine.folder / "erasures.jsonl"))


@dataclass(slots=True)
class Delayed:
    """A batch that a process was about to apply when it was thought to be dead."""

    engine: Engine
    targets: Sequence[Target]
    events: Sequence[StoredEvent]
    upto: int


class Reader:
    """A process that folds the log and hashes it; it reads by a log of its own."""

    def __init__(self, machine: Machine, parts: Parts, shape: Shape) -> None:
        with ExitStack() as opened:
            vault = opened.enter_context(closing(opened_vault(machine)))
            self.log = parts.log(machine.folder / "log.db", vault, machine, checkpoint=shape.checkpoint)
            opened.callback(self.log.close)
            self.stored: StoredEvents = opened.enter_context(closing(open_stored(machine.folder / "log.db")))
            self.tree = opened.enter_context(closing(Tree(machine.folder / "audit.db")))
            self.engines = [self._lookups(machine, parts, shape, opened)]
            if shape.facts:
                self.engines.append(self._facts(machine, parts, shape, opened))
            start(self.engines[0].feed, self.engines)
            self.followers = [Follower(engine) for engine in self.engines]
            self.delayed: list[Delayed] = []
            self.close = opened.pop_all().close

    def _lookups(self, machine: Machine, parts: Parts, shape: Shape, opened: ExitStack) -> Engine:
        layouts = [plan.layout_in(Home.LOOKUPS) for plan in plans(shape.folds, Home.LOOKUPS)]
        store = opened.enter_context(closing(LookupStore.sqlite(machine.folder / "lookups.db", layouts)))
        return Engine(parts.lookups(store, machine), shape.folds, parts.feed(self.log), bulk_lag=shape.bulk_lag)

    def _facts(self, machine: Machine, parts: Parts, shape: Shape, opened: ExitStack) -> Engine:
        layouts = [plan.layout_in(Home.FACTS) for plan in plans(shape.folds, Home.FACTS)]
        store = opened.enter_context(closing(FactStore(machine.folder / "facts.duckdb", layouts, threads=1)))
        return Engine(WatchedFacts(store, machine), shape.folds, parts.feed(self.log), bulk_lag=shape.bulk_lag)

    def fold(self, follower: Follower) -> bool:
        """What a follower's thread does again and again."""
        return follower._step()

    def hash(self) -> int:
        """Hash what is new; the tree's size."""
        return catch_up(self.tree, self.stored)

    def delay(self, engine: Engine) -> None:
        """Read a batch as a process does that is then held up for so long that another takes its place."""
        targets = engine.targets()
        after = min((target.version.position for target in targets), default=0)
        group = [target for target in targets if target.version.position == after]
        if group and (events := engine.feed.read(after, 5)):
            self.delayed.append(Delayed(engine, group, events, events[-1].position))


class World:
    """Everything that runs; after each end of a process it is begun again."""

    def __init__(self, machine: Machine, clock: Clock, parts: Parts, shape: Shape) -> None:
        self.machine = machine
        self._make: dict[str, Callable[[], Any]] = {
            "A": lambda: Writer(machine, clock, parts, shape),
            "B": lambda: Writer(machine, clock, parts, shape),
            "reader": lambda: Reader(machine, parts, shape),
        }
        self._running: dict[str, Any] = {}

    def writer(self, name: str) -> Writer:
        """A or B, begun when it does not run."""
        return self._process(name)

    @property
    def reader(self) -> Reader:
        """The process that folds, begun when it does not run."""
        return self._process("reader")

    def _process(self, name: str) -> Any:
        if name not in self._running:
            self._running[name] = self._make[name]()
        return self._running[name]

    def end(self, *names: str) -> None:
        """These processes, or all, run no more."""
        for name in names or list(self._running):
            if name in self._running:
                self._running.pop(name).close()


def shaped(folds: Sequence[Fold], chance: random.Random) -> Shape:
    """What a history is like, drawn: one of the read models that count, and two others."""
    counting = chance.choice([fold for fold in folds if fold.name in COUNTING])
    return Shape(
        folds=(counting, *chance.sample([fold for fold in folds if fold is not counting], 2)),
        facts=chance.random() < 0.3,
        bulk_lag=0 if chance.random() < 0.1 else SLOWLY,
        checkpoint=chance.choice((4_000, 8)),
    )
