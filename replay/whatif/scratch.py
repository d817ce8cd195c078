"""A scratch database: read models folded from typed events in a DuckDB of their own, which nothing else sees."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from projections.fold import Home
from projections.plan import Plan
from projections.rows import rows_of
from projections.sql import quoted, relation_of
from readmodels.facts import NATIVE
from replay.whatif.errors import TrialRefused, TrialTooMuch

MEMORY: Final = "1GB"
TICK: Final = 0.05
DECLARED: Final = "declared"
"""The schema of read models that the trial declares."""


@contextmanager
def scratch(seconds: float) -> Generator[duckdb.DuckDBPyConnection]:
    """A database that is gone afterwards. Raises TrialTooMuch when what is done on it takes longer than `seconds`, or too much memory."""
    with TemporaryDirectory(prefix="daybook-whatif-") as folder, duckdb.connect(":memory:", config=_config(folder)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE SCHEMA {DECLARED}")
        done, late = threading.Event(), threading.Event()
        watch = threading.Thread(target=_interrupt, args=(connection, seconds, done, late), name="trial-clock", daemon=True)
        watch.start()
        try:
            yield connection
        except duckdb.OutOfMemoryException as error:
            raise TrialTooMuch("whatif.too_large", f"the trial needs more memory than {MEMORY}: {error}") from error
        except duckdb.Error as error:
            if not late.is_set():
                raise
            raise TrialTooMuch("whatif.too_slow", f"the trial took longer than {seconds:g} seconds") from error
        finally:
            done.set()
            watch.join()


def _config(folder: str) -> dict[str, str | bool | int | float | list[str]]:
    return {"memory_limit": MEMORY, "preserve_insertion_order": False, "temp_directory": folder}


def _interrupt(connection: duckdb.DuckDBPyConnection, seconds: float, done: threading.Event, late: threading.Event) -> None:
    """Interrupt whatever runs, from the end of the time on: between two statements there is nothing to interrupt yet."""
    if not done.wait(seconds):
        late.set()
        while not done.wait(TICK):
            connection.interrupt()


def fold_declared(connection: duckdb.DuckDBPyConnection, plan: Plan, types: frozenset[str], rewritten: Mapping[str, str]) -> None:
    """Make the table of a read model that the trial declares. Raises TrialRefused `whatif.fold` when it cannot take its events."""
    try:
        fold(connection, plan, types, rewritten, DECLARED)
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        raise TrialRefused("whatif.fold", f"{plan.name} cannot take its events: {error}") from error


def fold(
    connection: duckdb.DuckDBPyConnection, plan: Plan, types: frozenset[str], rewritten: Mapping[str, str], schema: str = "main"
) -> None:
    """Make the table of a read model from typed events, those of `rewritten` types as their SELECTs have them."""
    layout, lanes = plan.layout_in(Home.FACTS), plan.lanes_in(Home.FACTS)
    table = f"{schema}.{quoted(plan.name)}"
    rows = rows_of(plan, lanes, types | rewritten.keys())
    if rows is None:
        columns = ", ".join(f"{quoted(name)} {NATIVE[layout.column(name).kind]}" for name in layout.shown)
        connection.execute(f"CREATE TABLE {table} ({columns})")
        return
    instead = [f"{relation_of(name)} AS ({select})" for name, select in rewritten.items() if name in plan.routes]
    columns = ", ".join(quoted(name) for name in layout.shown)
    shadowing = f"WITH {', '.join(instead)} " if instead else ""
    connection.execute(f"CREATE TABLE {table} AS {shadowing}SELECT {columns} FROM ({rows})")
