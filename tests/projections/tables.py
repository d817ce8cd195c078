"""Read-model tables of a test's own, folded from a feed, and their rows for comparison."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from projections.catalogue import FOLDS
from projections.engine import BULK_LAG, Engine
from projections.feed import Feed
from projections.fold import Fold, Home
from projections.homes import FactTables, LookupTables
from projections.plan import plans
from projections.versions import start
from readmodels.facts import FactStore
from readmodels.layout import State
from readmodels.loading import WORTH_A_PROCESS
from readmodels.lookups import LookupStore
from tests.projections.feed import MemoryFeed


@contextmanager
def engines(
    feed: Feed,
    folder: Path | None = None,
    *,
    folds: Sequence[Fold] = FOLDS,
    lookups_url: str | None = None,
    bulk_lag: int = BULK_LAG,
    worth_a_process: int = WORTH_A_PROCESS,
) -> Iterator[list[Engine]]:
    """The engines of both homes; their files lie in `folder`, and opening them again finds what is there."""
    with TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        shapes = {home: [plan.layout_in(home) for plan in plans(folds, home)] for home in Home}
        path = place / "lookups.db"
        if lookups_url:
            lookups = LookupStore.postgres(lookups_url, shapes[Home.LOOKUPS])
        else:
            lookups = LookupStore.sqlite(path, shapes[Home.LOOKUPS], worth_a_process=worth_a_process)
        facts = FactStore(place / "facts.duckdb" if folder else None, shapes[Home.FACTS], threads=1)
        try:
            yield [Engine(tables, folds, feed, bulk_lag=bulk_lag) for tables in (LookupTables(lookups), FactTables(facts))]
        finally:
            facts.close()
            lookups.close()


def at_the_beginning(made: Sequence[Engine]) -> None:
    """Let every fold serve an empty table, as if the log had been empty at the start."""
    feeds = [engine.feed for engine in made]
    for engine in made:
        engine.feed = MemoryFeed()
    start(MemoryFeed(), made)
    for engine, feed in zip(made, feeds, strict=True):
        engine.feed = feed


def contents(engine: Engine, state: State = State.SERVING) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of every table in that state, marks included."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    for version in engine.tables.versions():
        if version.state is state:
            layout = engine.plans[version.fold].layout_in(engine.tables.home)
            found[version.fold] = {_plain(row) for row in _rows(engine, layout.physical(version.number), layout.names)}
    return found


def _rows(engine: Engine, table: str, names: Sequence[str]) -> list[Any]:
    sql = _select(table, names)
    if isinstance(engine.tables, FactTables):
        return engine.tables.store.query(sql)
    assert isinstance(engine.tables, LookupTables)
    with engine.tables.store.reading() as connection:
        return list(connection.exec_driver_sql(sql))


def _select(table: str, names: Sequence[str]) -> str:
    columns = ", ".join('"' + name + '"' for name in names)
    return f'SELECT {columns} FROM "{table}"'


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row)


def cells(engine: Engine, fold: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """A lookup table's rows as canonical cells by key, alike on every database."""
    assert isinstance(engine.tables, LookupTables)
    layout = engine.plans[fold].layout
    (version,) = [version for version in engine.tables.versions() if version.fold == fold and version.state is State.SERVING]
    keys = {row[: len(layout.key)] for row in _rows(engine, layout.physical(version.number), layout.names)}
    with engine.tables.store.writing() as writer:
        rows = list(writer.rows(layout, version.number, sorted(keys)))
    return {row[: len(layout.key)]: dict(zip(layout.names, row, strict=True)) for row in rows}
