"""Baselines: what the eventsourcing library itself does with aggregates, its projection loop, and SQLite alone."""

import sqlite3
import time
from pathlib import Path
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteTrackingRecorder


class Deal(Aggregate):
    """An aggregate as the library's users write them."""

    def __init__(self, name: str, owner_id: str, amount: str) -> None:
        self.name = name
        self.owner_id = owner_id
        self.amount = amount
        self.stage = "Lead"

    @event("StageChanged")
    def move(self, to_stage: str) -> None:
        """Move to another stage."""
        self.stage = to_stage


def _application(path: Path) -> Application[UUID]:
    return Application[UUID](env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)})


def save_in_hundreds(path: Path, events: int) -> float:
    """Events a second of the library's `save()` with 100 new aggregates in each commit."""
    app = _application(path)
    started = time.perf_counter()
    for _ in range(events // 100):
        app.save(*(Deal("Deal", "ana", "1200.50") for _ in range(100)))
    return events / (time.perf_counter() - started)


def executemany(path: Path, events: int, state: bytes) -> float:
    """Rows a second of SQLite's own executemany, 1,000 rows in each durable commit, into a table like the log's."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(
        "CREATE TABLE stored_events (position INTEGER PRIMARY KEY AUTOINCREMENT, originator_id TEXT, originator_version INTEGER,"
        " topic TEXT, state BLOB, UNIQUE (originator_id, originator_version))"
    )
    started = time.perf_counter()
    for first in range(0, events, 1000):
        rows = [(first + number + 1, str(uuid4()), 1, "opportunity.opened", state) for number in range(1000)]
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    rate = events / (time.perf_counter() - started)
    db.close()
    return rate


class DealsView(SQLiteTrackingRecorder):
    """A read model as the library's users write them: a row and the position in one transaction."""

    def construct_create_table_statements(self) -> list[str]:
        """The library's own statements and one for the view."""
        return [
            *super().construct_create_table_statements(),
            "CREATE TABLE IF NOT EXISTS deals (id TEXT PRIMARY KEY, name TEXT, owner_id TEXT, amount TEXT, stage TEXT)",
        ]

    def opened(self, deal: Deal.Created, tracking: Tracking) -> None:
        """Write the row of a new deal."""
        with self.datastore.transaction(commit=True) as cursor:
            self._write(cursor, deal)
            self._insert_tracking(cursor, tracking)

    @staticmethod
    def _write(cursor: SQLiteCursor, deal: Deal.Created) -> None:
        values = (str(deal.originator_id), deal.name, deal.owner_id, deal.amount)
        cursor.execute("INSERT INTO deals VALUES (?, ?, ?, ?, 'Lead')", values)


def project_one_by_one(path: Path, view_path: Path, events: int) -> float:
    """Events a second of the library's projection loop over what `save_in_hundreds` stored."""
    app = _application(path)
    view = DealsView(SQLiteDatastore(str(view_path)))
    view.create_table()
    done, started = 0, time.perf_counter()
    while done < events:
        for notification in app.recorder.select_notifications(start=done + 1, limit=100):
            stored = app.mapper.to_domain_event(notification)
            view.opened(stored, Tracking(app.name, notification.id))  # type: ignore[arg-type]
            done += 1
    return events / (time.perf_counter() - started)
