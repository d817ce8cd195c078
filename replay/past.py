"""Read models as of a moment: folded into stores of their own from the events of that moment, and asked like those of today."""

import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Final, Generic, TypeVar

import duckdb

from projections.build import BuildFailed
from projections.catalogue import FOLDS
from projections.engine import BATCH, BULK_LAG, Engine
from projections.fold import Fold, Home
from projections.history import History
from projections.homes import FactTables, LookupTables, Tables
from projections.plan import Plan, plans
from projections.rows import narrow_rows_of, rows_of
from projections.sql import used_values
from projections.versions import serve_empty
from readmodels.asking import LookupReader, Lookups
from readmodels.facts import FactStore, FactWriter
from readmodels.lookups import LookupStore
from replay.moments import Moment

KEPT: Final = 3
"""Answers of each home whose read models are kept for the next question: those asked last."""
FACTS_MEMORY: Final = "1GB"

Needs = Mapping[str, Collection[str] | None]
"""Read models by name, and which of their columns are asked; None is all of them."""


@cache
def _fold_of(name: str, columns: frozenset[str] | None) -> Fold:
    fold = next(fold for fold in FOLDS if fold.name == name)
    return fold if columns is None else fold.only(columns)


class Past(ABC):
    """Read models of one moment in one home, folded up to position `upto`. For one thread at a time."""

    home: ClassVar[Home]

    def __init__(self, moment: Moment, history: History, needs: Needs) -> None:
        self.upto = 0
        self._moment = moment
        self._history = history
        self._folds = [_fold_of(name, None if columns is None else frozenset(columns)) for name, columns in needs.items()]
        self._narrow = frozenset(name for name, columns in needs.items() if columns is not None)
        self._plans = plans(self._folds, self.home)
        self._layouts = [plan.layout_in(self.home) for plan in self._plans]
        self._closing = ExitStack()
        self._engine: Engine | None = None

    @abstractmethod
    def _begun(self) -> Tables:
        """Tables with what the moment sees of the events up to `upto`."""

    def close(self) -> None:
        """Let go of the tables."""
        self._closing.close()

    @property
    def lag(self) -> int:
        """How many events were appended since."""
        return self._history.feed.head() - self.upto

    def fold(self) -> None:
        """Take all events that the moment sees now. Raises BuildFailed, and then it is of no more use."""
        if self._engine is not None:
            self._catch_up(self._engine)
            return
        self.upto = self._history.feed.head()
        try:
            self._engine = Engine(self._begun(), self._folds, self._history.feed)
        except duckdb.Error as error:
            names = ", ".join(plan.name for plan in self._plans)
            raise BuildFailed(None, f"{names} cannot be folded as of that moment: {error}") from error

    @contextmanager
    def _rows(self, connection: duckdb.DuckDBPyConnection) -> Generator[Mapping[Plan, str]]:
        """The rows of each read model that has any, as a relation of `connection`."""
        lanes = {plan: plan.lanes_in(self.home) for plan in self._plans}
        with self._history.relations(connection, used_values(lanes.items()), upto=self.upto, only=self._moment.condition) as types:
            found = ((plan, (narrow_rows_of if plan.name in self._narrow else rows_of)(plan, lanes[plan], types)) for plan in self._plans)
            yield {plan: f"({rows})" for plan, rows in found if rows}

    def _catch_up(self, engine: Engine) -> None:
        head = self._history.feed.head()
        while self.upto < head:
            events = [event for event in self._history.feed.read(self.upto, BATCH) if event.position <= head]
            upto = head if len(events) < BATCH else events[-1].position
            engine.apply(engine.targets(), [event for event in events if self._moment.sees(event)], upto)
            self.upto = upto

    def _folder(self) -> Path:
        return Path(self._closing.enter_context(TemporaryDirectory(prefix="daybook-past-")))


class PastFacts(Past):
    """Facts of a moment, in memory."""

    home = Home.FACTS
    tables: FactTables

    def _begun(self) -> FactTables:
        spill = self._folder()
        store = FactStore(None, self._layouts, memory_limit=FACTS_MEMORY, threads=os.cpu_count(), spill=spill, begin=self._fill)
        self.tables = FactTables(self._closing.enter_context(closing(store)))
        return self.tables

    def _fill(self, writer: FactWriter) -> None:
        with self._rows(writer.connection) as rows:
            for plan in self._plans:
                version = serve_empty(writer, self.home, plan, position=self.upto)
                if plan in rows:
                    writer.load(plan.layout_in(self.home), version.number, rows[plan])


class PastLookups(Past):
    """Lookups of a moment, in a file that goes away."""

    home = Home.LOOKUPS
    tables: LookupTables

    def _begun(self) -> LookupTables:
        self.tables = tables = LookupTables(
            self._closing.enter_context(closing(LookupStore.sqlite(self._folder() / "lookups.db", self._layouts)))
        )
        with tables.writing() as writer:
            versions = {plan: serve_empty(writer, self.home, plan, position=self.upto) for plan in self._plans}
        with (
            duckdb.connect(":memory:", config={"preserve_insertion_order": False}) as scratch,
            self._rows(scratch) as rows,
            tables.filling(self.upto),
        ):
            for plan, relation in rows.items():
                tables.fill(plan, versions[plan], scratch, relation)
        return tables


AnyPast = TypeVar("AnyPast", bound=Past)
Asked = tuple[Moment, frozenset[tuple[str, frozenset[str] | None]]]
"""A moment, and what is needed of it."""


@dataclass(slots=True)
class _Kept(Generic[AnyPast]):
    past: AnyPast
    users: int = 0
    failure: BuildFailed | None = None
    """Why it is of no use."""
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held while it is folded."""


class _Shelf(Generic[AnyPast]):
    """Pasts that are kept for a while."""

    def __init__(self, make: Callable[[Moment, Needs], AnyPast]) -> None:
        self._make = make
        self._kept: OrderedDict[Asked, _Kept[AnyPast]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def folded(self, moment: Moment, needs: Needs) -> Generator[AnyPast]:
        """One of this moment, folded up to the end of the log."""
        asked = (moment, frozenset((name, None if columns is None else frozenset(columns)) for name, columns in needs.items()))
        with self._lock:
            kept = self._taken(asked, needs)
        try:
            with kept.turn:
                self._fold(kept)
            yield kept.past
        finally:
            with self._lock:
                kept.users -= 1
                self._forget()

    def close(self) -> None:
        """Let go of all; nobody may be asking any more."""
        with self._lock:
            for kept in self._kept.values():
                kept.past.close()
            self._kept.clear()

    def _taken(self, asked: Asked, needs: Needs) -> _Kept[AnyPast]:
        kept = self._kept.get(asked)
        if kept is not None and kept.users == 0 and (kept.failure or kept.past.lag > BULK_LAG):
            kept.past.close()
            kept = None
        if kept is None:
            kept = self._kept[asked] = _Kept(self._make(asked[0], needs))
        kept.users += 1
        self._kept.move_to_end(asked)
        return kept

    @staticmethod
    def _fold(kept: _Kept[AnyPast]) -> None:
        if kept.failure:
            raise kept.failure
        try:
            kept.past.fold()
        except BuildFailed as failure:
            kept.failure = failure
            raise

    def _forget(self) -> None:
        """Close what was asked longest ago, unless somebody is asking it."""
        for asked, kept in list(self._kept.items())[: max(0, len(self._kept) - KEPT)]:
            if kept.users == 0:
                del self._kept[asked]
                kept.past.close()


class Pasts:
    """Answers questions as of other moments; for any number of threads."""

    def __init__(self, history: History) -> None:
        self._facts = _Shelf(lambda moment, needs: PastFacts(moment, history, needs))
        self._lookups = _Shelf(lambda moment, needs: PastLookups(moment, history, needs))

    @contextmanager
    def facts(self, moment: Moment, needs: Needs) -> Generator[FactStore]:
        """The facts that are needed of a moment, of all events that there are when this is called. Raises BuildFailed."""
        with self._facts.folded(moment, needs) as past:
            yield past.tables.store

    @contextmanager
    def lookups(self, moment: Moment, needs: Needs) -> Generator[Lookups]:
        """A snapshot of the lookups that are needed of a moment, in the same way."""
        with self._lookups.folded(moment, needs) as past, LookupReader(past.tables.store).snapshot() as lookups:
            yield lookups

    def close(self) -> None:
        """Let go of everything that is kept; nobody may be asking any more."""
        self._facts.close()
        self._lookups.close()


def whole(folds: Collection[str]) -> Needs:
    """All columns of these read models."""
    return dict.fromkeys(folds)
