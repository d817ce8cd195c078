"""Loading the tables of new versions: the same cells as writing them, by turns with live writers, and clear failures."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from projections.homes import ARROW
from projections.loadable import loadable
from projections.sql import native
from readmodels.layout import State, Version
from readmodels.loading import WORTH_A_PROCESS, LoadFailed
from readmodels.lookups import LookupStore
from tests.readmodels.test_stores_lookups import EMPTY, FULL, LAYOUT

VERSION = Version("things", 1, State.BUILDING, "f", 0)
STRANGE = (
    FULL[0],
    3,
    8,
    'tab\t nul-free \x7f \\u000b "',
    -1,
    FULL[5],
    FULL[6],
    False,
    ("\x0b\\u001A", "\x1f\x00ÿ\\", "b,\n"),
)


@pytest.fixture(params=["sqlite in turns", "sqlite by a process", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LookupStore]:
    if request.param == "postgres":
        made = LookupStore.postgres(request.getfixturevalue("postgres_url"), [LAYOUT])
    else:
        made = LookupStore.sqlite(tmp_path / "lookups.db", [LAYOUT])
    with made.writing() as writer:
        writer.create(LAYOUT, VERSION)
    yield made
    made.close()


@pytest.fixture
def events(request: pytest.FixtureRequest) -> int:
    """How many are said to be folded: it decides the way."""
    return WORTH_A_PROCESS if "process" in request.node.callspec.params.get("store", "process") else 10


def rows_of(database: duckdb.DuckDBPyConnection, rows: Sequence[Sequence[Any]], dialect: str, at_once: int = 1_000) -> pa.RecordBatchReader:
    """Canonical cells on the way that a rebuild takes: native in DuckDB, then as the database stores them."""
    arrays = [pa.array([row[place] for row in rows], ARROW[column.kind]) for place, column in enumerate(LAYOUT.columns)]
    database.register("given", pa.table(arrays, names=list(LAYOUT.names)))
    return database.execute(loadable(LAYOUT, f"({native(LAYOUT, 'given')}) ORDER BY part", dialect)).to_arrow_reader(at_once)


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def stored(store: LookupStore, number: int, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    with store.writing() as writer:
        found = list(writer.rows(LAYOUT, number, [(row[0], row[1]) for row in rows]))
    return sorted(found, key=lambda row: (row[0], row[1]))


def test_what_is_loaded_is_what_a_live_writer_stores(store: LookupStore, database: duckdb.DuckDBPyConnection, events: int) -> None:
    rows: list[tuple[Any, ...]] = [FULL, EMPTY]
    if store.dialect == "sqlite":
        rows.append(STRANGE)  # PostgreSQL has no text with a zero character in it
    with store.writing() as writer:
        writer.create(LAYOUT, Version("things", 2, State.BUILDING, "f", 0))
        writer.write(LAYOUT, 2, rows)
    with store.loading(events) as loader:
        loader.load(LAYOUT, 1, rows_of(database, rows, store.dialect))
    assert stored(store, 1, rows) == stored(store, 2, rows) == rows
    with store.reading() as connection:
        apart = "SELECT {0} FROM things__1 EXCEPT SELECT {0} FROM things__2".format(", ".join(f'"{name}"' for name in LAYOUT.names))
        assert connection.exec_driver_sql(apart).all() == []


def test_many_rows_of_several_tables_are_loaded_at_once(store: LookupStore, events: int) -> None:
    rows = [(f"00000000-0000-0001-0000-{number:012d}", number, *FULL[2:]) for number in range(3_000)]
    with store.writing() as writer:
        writer.create(LAYOUT, Version("things", 2, State.BUILDING, "f", 0))

    def load(number: int) -> None:
        with duckdb.connect(":memory:") as database:
            loader.load(LAYOUT, number, rows_of(database, rows, store.dialect))

    with store.loading(events) as loader:
        threads = [threading.Thread(target=load, args=(number,)) for number in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert stored(store, 1, rows) == stored(store, 2, rows) == rows


def test_no_rows_are_loaded_as_well(store: LookupStore, database: duckdb.DuckDBPyConnection, events: int) -> None:
    with store.loading(events) as loader:
        loader.load(LAYOUT, 1, rows_of(database, [], store.dialect))
        loader.load(LAYOUT, 1, rows_of(database, [FULL], store.dialect))
    assert stored(store, 1, [FULL]) == [FULL]


def test_live_writers_get_their_turn_while_rows_are_loaded(store: LookupStore, database: duckdb.DuckDBPyConnection, events: int) -> None:
    rows = [(f"00000000-0000-0001-0000-{number:012d}", number, *FULL[2:]) for number in range(20_000)]
    with store.writing() as writer:
        writer.create(LAYOUT, Version("things", 2, State.SERVING, "f", 0))

    def load() -> None:
        with store.loading(events) as loader:
            loader.load(LAYOUT, 1, rows_of(database, rows, store.dialect))

    thread = threading.Thread(target=load)
    thread.start()
    written = 0
    while thread.is_alive():
        with store.writing() as writer:
            writer.write(LAYOUT, 2, [(FULL[0], written, *FULL[2:])])
        written += 1
    thread.join()
    assert written > 1
    assert len(stored(store, 1, rows)) == len(rows)
    assert len(stored(store, 2, [(FULL[0], number) for number in range(written)])) == written


def test_rows_that_the_database_does_not_take_are_an_error_that_says_so(
    store: LookupStore, database: duckdb.DuckDBPyConnection, events: int
) -> None:
    with store.loading(events) as loader, pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        loader.load(LAYOUT, 1, rows_of(database, [FULL, FULL], store.dialect))
    assert stored(store, 1, [FULL]) == []


def test_a_table_that_another_process_has_dropped_is_an_error(store: LookupStore, database: duckdb.DuckDBPyConnection, events: int) -> None:
    with store.writing() as writer:
        writer.drop("things", 1)
    with store.loading(events) as loader, pytest.raises(Exception, match="things__1"):
        loader.load(LAYOUT, 1, rows_of(database, [FULL], store.dialect))


@pytest.mark.parametrize("store", ["sqlite by a process"], indirect=True)
def test_a_loading_process_that_is_killed_fails_the_loading_and_leaves_whole_transactions(
    store: LookupStore, database: duckdb.DuckDBPyConnection, events: int
) -> None:
    rows = [(f"00000000-0000-0001-0000-{number:012d}", number, *FULL[2:]) for number in range(50_000)]
    with store.loading(events) as loader:
        kill = threading.Timer(0.5, os.kill, (loader.pid, signal.SIGKILL))  # type: ignore[attr-defined] - of the process's loader
        kill.start()
        with pytest.raises(LoadFailed, match="-9"):  # noqa: PT012 - whichever of them it is at
            for number in range(100):
                loader.load(LAYOUT, 1, rows_of(database, [(row[0], number * 50_000 + row[1], *row[2:]) for row in rows], "sqlite"))
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) % 1000 FROM things__1").scalar_one() == 0
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    with store.writing() as writer:
        writer.drop("things", 1)
    assert store.versions() == []


@pytest.mark.parametrize("store", ["sqlite by a process"], indirect=True)
def test_loading_waits_for_a_writer_and_does_not_lose_the_lock_to_it(
    store: LookupStore, database: duckdb.DuckDBPyConnection, events: int
) -> None:
    held, rows = threading.Event(), [FULL, EMPTY]

    def hold() -> None:
        with store.writing():
            held.set()
            threading.Event().wait(1.0)

    with store.loading(events) as loader:
        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(5)
        loader.load(LAYOUT, 1, rows_of(database, rows, "sqlite"))
        assert not thread.is_alive()
    assert stored(store, 1, rows) == rows
