"""The real log, dispatcher and tables, passing the moments of a machine at which it may end."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bus.codec import KeyRing
from bus.log import SQLiteLog
from bus.sqlite_tables import SQLiteRows
from projections.homes import FactTables, LookupTables
from projections.plan import Plan, Rows
from readmodels.facts import FactStore
from readmodels.layout import Layout
from readmodels.lookups import LookupStore
from tests.simulator.machine import Machine


class WatchedLog(SQLiteLog):
    """A log in a file; it brings its write-ahead log into the file after `checkpoint` pages, to have that happen in short histories."""

    def __init__(self, path: Path, vault: KeyRing, machine: Machine, *, checkpoint: int) -> None:
        self._machine = machine
        self._checkpoint = checkpoint
        super().__init__(path, vault)

    @contextmanager
    def _writing(self) -> Generator[SQLiteRows]:
        try:
            with super()._writing() as rows:
                self._limit(rows)
                yield rows
                self._machine.begin_commit()
        except BaseException:
            self._machine.abandon_commit()
            raise
        self._machine.end_commit()

    def _limit(self, rows: SQLiteRows) -> None:
        cursor = rows._cursor
        cursor.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint}")
        pages = cursor.execute("PRAGMA page_count").fetchone()[0] if self._machine.full else 2**31
        cursor.execute(f"PRAGMA max_page_count = {pages}")


class _Watched:
    """What both homes' tables pass; mixed in before the real ones."""

    machine: Machine
    home: Any
    store: Any

    def watch(self, machine: Machine) -> None:
        self.machine = machine
        self.writing = self._writing

    @contextmanager
    def _writing(self) -> Generator[Any]:
        with self.store.writing() as writer:
            writer.serve = partial(self._serve, writer.serve)
            yield writer
            self.machine.passes(f"{self.home}: before the commit")
        self.machine.passes(f"{self.home}: committed")

    def _serve(self, really: Any, layout: Layout, number: int) -> None:
        self.machine.passes(f"{self.home}: before a switch")
        really(layout, number)
        self.machine.passes(f"{self.home}: within a switch")

    def put(self, writer: Any, plan: Plan, number: int, rows: Rows) -> None:
        super().put(writer, plan, number, rows)  # type: ignore[misc]
        self.machine.passes(f"{self.home}: rows written, position not")


class WatchedLookups(_Watched, LookupTables):
    """Lookups in a file."""

    def __init__(self, store: LookupStore, machine: Machine) -> None:
        super().__init__(store)
        self.watch(machine)


class WatchedFacts(_Watched, FactTables):
    """Facts in a file."""

    def __init__(self, store: FactStore, machine: Machine) -> None:
        super().__init__(store)
        self.watch(machine)


MOMENTS = (
    "log: before the commit",
    "log: while committing",
    "log: committed, nobody told",
    "lookups: rows written, position not",
    "lookups: before the commit",
    "lookups: committed",
    "lookups: before a switch",
    "lookups: within a switch",
    "facts: rows written, position not",
    "facts: before the commit",
    "facts: committed",
    "facts: before a switch",
    "facts: within a switch",
)
