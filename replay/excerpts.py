"""Read models of a few events alone: made within a transaction that is never committed, asked there, and gone."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from domain.envelope import StoredEvent
from projections.build import BuildFailed
from projections.catalogue import FOLDS, layouts
from projections.evaluate import Poison, evaluate
from projections.fold import Home
from projections.homes import FactTables, LookupTables, Tables
from projections.plan import plans
from projections.versions import serve_empty
from readmodels.asking import Facts, FactSnapshot, Lookups, LookupSnapshot
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore

MEMORY: Final = "256MB"
AnyTables = TypeVar("AnyTables", FactTables, LookupTables)


class Excerpts:
    """Answers questions of few events; for any number of threads. Keeps empty tables ready, as many as were asked at once."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._facts: SimpleQueue[FactTables] = SimpleQueue()
        self._lookups: SimpleQueue[LookupTables] = SimpleQueue()

    def close(self) -> None:
        """Let go of the tables; nobody may be asking any more."""
        self._closing.close()

    @contextmanager
    def facts(self, folds: Collection[str], events: Sequence[StoredEvent], upto: int) -> Generator[Facts]:
        """The named facts of `events`, which are all that matter up to position `upto`. Raises BuildFailed."""
        with _taken(self._facts, self._new_facts) as tables, tables.store.trying() as writer:
            _put(tables, writer, folds, events, upto)
            yield FactSnapshot(writer.connection)

    @contextmanager
    def lookups(self, folds: Collection[str], events: Sequence[StoredEvent], upto: int) -> Generator[Lookups]:
        """The named lookups, in the same way."""
        with _taken(self._lookups, self._new_lookups) as tables, tables.store.trying() as writer:
            _put(tables, writer, folds, events, upto)
            yield LookupSnapshot(tables.store, writer.connection)

    def _new_facts(self) -> FactTables:
        store = self._closing.enter_context(closing(FactStore(None, layouts(Home.FACTS), memory_limit=MEMORY, threads=1)))
        return _served(FactTables(store))

    def _new_lookups(self) -> LookupTables:
        folder = self._closing.enter_context(TemporaryDirectory(prefix="daybook-excerpt-"))
        store = self._closing.enter_context(closing(LookupStore.sqlite(Path(folder) / "lookups.db", layouts(Home.LOOKUPS))))
        return _served(LookupTables(store))


@contextmanager
def _taken(idle: SimpleQueue[AnyTables], new: Callable[[], AnyTables]) -> Generator[AnyTables]:
    """Tables that nobody else uses."""
    try:
        tables = idle.get_nowait()
    except Empty:
        tables = new()
    try:
        yield tables
    finally:
        idle.put(tables)


def _served(tables: AnyTables) -> AnyTables:
    """The same with an empty table of every fold, which serves."""
    with tables.store.writing() as writer:
        for plan in plans(FOLDS, tables.home):
            serve_empty(writer, tables.home, plan)
    return tables


def _put(tables: Tables, writer: Any, folds: Collection[str], events: Sequence[StoredEvent], upto: int) -> None:
    wanted = [plan for plan in plans(FOLDS, tables.home) if plan.name in folds]
    for plan in wanted:
        try:
            tables.put(writer, plan, 1, evaluate(plan, events))
        except Poison as poison:
            raise BuildFailed(plan.name, f"{plan.name} fails on the event at position {poison.position}: {poison.message}") from poison
    if upto:
        writer.advance([version for version in writer.versions() if version.fold in folds], upto)
