"""Read models as of a moment: folded into stores of their own from the events of that moment, and asked like those of today."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from projections.build import BuildFailed
from projections.catalogue import FOLDS, layouts
from projections.engine import BATCH, BULK_LAG, Engine
from projections.fold import Home
from projections.history import History
from projections.homes import FactTables, LookupTables, Tables
from projections.plan import Plan
from projections.rows import rows_of
from projections.sql import quoted, used_values
from readmodels.asking import LookupReader, Lookups
from readmodels.facts import FactStore
from readmodels.layout import State, Version
from readmodels.lookups import LookupStore
from replay.moments import Moment

KEPT: Final = 3
"""Moments whose read models are kept for the next question: those asked last."""
FACTS_MEMORY: Final = "512MB"
ROWS_AT_ONCE: Final = 100_000


class Past:
    """Read models of one moment, as many as have been asked for; all are folded up to position `upto`. For one thread at a time."""

    def __init__(self, moment: Moment, history: History) -> None:
        self.moment = moment
        self.upto = 0
        self._history = history
        self._closing = ExitStack()
        self._engines: dict[Home, Engine] = {}

    def close(self) -> None:
        """Let go of the stores."""
        self._closing.close()

    def fold(self, home: Home, folds: Collection[str]) -> None:
        """Have the named read models, of all events that the moment sees now. Raises BuildFailed."""
        self._catch_up()
        missing = self._missing(home, folds)
        if missing:
            self._fold(home, missing)

    @cached_property
    def fact_store(self) -> FactStore:
        """The facts."""
        return self._closing.enter_context(closing(FactStore(None, layouts(Home.FACTS), memory_limit=FACTS_MEMORY)))

    @cached_property
    def lookup_store(self) -> LookupStore:
        """The lookups."""
        folder = self._closing.enter_context(TemporaryDirectory(prefix="daybook-past-"))
        return self._closing.enter_context(closing(LookupStore.sqlite(Path(folder) / "lookups.db", layouts(Home.LOOKUPS))))

    @property
    def lag(self) -> int:
        """How many events were appended since."""
        return self._history.feed.head() - self.upto

    def _engine(self, home: Home) -> Engine:
        if home not in self._engines:
            tables = FactTables(self.fact_store) if home is Home.FACTS else LookupTables(self.lookup_store)
            self._engines[home] = Engine(tables, FOLDS, self._history.feed)
        return self._engines[home]

    def _missing(self, home: Home, folds: Collection[str]) -> list[Plan]:
        engine = self._engine(home)
        there = {version.fold for version in engine.tables.versions()}
        return [plan for name, plan in engine.plans.items() if name in folds and name not in there]

    def _catch_up(self) -> None:
        """Take what was appended since."""
        head = self._history.feed.head()
        if not self._engines:
            self.upto = head
        while self.upto < head:
            events = [event for event in self._history.feed.read(self.upto, BATCH) if event.position <= head]
            seen = [event for event in events if self.moment.sees(event)]
            upto = head if len(events) < BATCH else events[-1].position
            for engine in self._engines.values():
                engine.apply(engine.targets(), seen, upto)
            self.upto = upto

    def _fold(self, home: Home, plans: Sequence[Plan]) -> None:
        lanes = {plan: plan.lanes_in(home) for plan in plans}
        engine = self._engine(home)
        try:
            with (
                duckdb.connect(":memory:", config={"preserve_insertion_order": False}) as scratch,
                self._history.relations(scratch, used_values(lanes.items()), upto=self.upto, only=self.moment.condition) as types,
                engine.tables.filling(self.upto),
            ):
                for plan, version in zip(plans, _serve(engine, plans, self.upto), strict=True):
                    if rows := rows_of(plan, lanes[plan], types):
                        _load(engine.tables, plan, version, scratch, f"({rows})")
        except duckdb.Error as error:
            names = ", ".join(plan.name for plan in plans)
            raise BuildFailed(None, f"{names} cannot be folded as of that moment: {error}") from error


def _serve(engine: Engine, plans: Sequence[Plan], position: int) -> list[Version]:
    """Empty tables that serve."""
    versions = [Version(plan.name, 1, State.BUILDING, plan.fold.fingerprint, position) for plan in plans]
    with engine.tables.writing() as writer:
        for plan, version in zip(plans, versions, strict=True):
            writer.create(plan.layout_in(engine.tables.home), version)
            writer.serve(plan.layout_in(engine.tables.home), 1)
    return versions


def _load(tables: Tables, plan: Plan, version: Version, scratch: duckdb.DuckDBPyConnection, relation: str) -> None:
    if not isinstance(tables, FactTables):
        tables.fill(plan, version, scratch, relation)
        return
    columns = ", ".join(quoted(name) for name in plan.layout_in(Home.FACTS).names)
    tables.load(plan, version, scratch.execute(f"SELECT {columns} FROM {relation}").to_arrow_reader(ROWS_AT_ONCE))


@dataclass(slots=True)
class _Kept:
    past: Past
    users: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)


class Pasts:
    """Answers questions as of other moments; for any number of threads."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._kept: OrderedDict[Moment, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def facts(self, moment: Moment, folds: Collection[str]) -> Generator[FactStore]:
        """The facts of a moment: the named ones, of all events that there are when this is called. Raises BuildFailed."""
        with self._using(moment) as kept:
            with kept.turn:
                kept.past.fold(Home.FACTS, folds)
                store = kept.past.fact_store
            yield store

    @contextmanager
    def lookups(self, moment: Moment, folds: Collection[str]) -> Generator[Lookups]:
        """A snapshot of the lookups of a moment, in the same way."""
        with self._using(moment) as kept:
            with kept.turn:
                kept.past.fold(Home.LOOKUPS, folds)
                store = kept.past.lookup_store
            with LookupReader(store).snapshot() as lookups:
                yield lookups

    def close(self) -> None:
        """Let go of everything that is kept; nobody may be asking any more."""
        with self._lock:
            for kept in self._kept.values():
                kept.past.close()
            self._kept.clear()

    @contextmanager
    def _using(self, moment: Moment) -> Generator[_Kept]:
        with self._lock:
            kept = self._kept.get(moment)
            if kept is not None and kept.users == 0 and kept.past.lag > BULK_LAG:
                kept.past.close()
                kept = None
            if kept is None:
                kept = self._kept[moment] = _Kept(Past(moment, self._history))
            kept.users += 1
            self._kept.move_to_end(moment)
        try:
            yield kept
        finally:
            with self._lock:
                kept.users -= 1
                self._forget()

    def _forget(self) -> None:
        """Close what was asked longest ago, unless somebody is asking it."""
        for moment, kept in list(self._kept.items())[: max(0, len(self._kept) - KEPT)]:
            if kept.users == 0:
                del self._kept[moment]
                kept.past.close()
