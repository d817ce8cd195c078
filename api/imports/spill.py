"""Rows put in order, more of them than memory holds: they wait in a temporary database that nobody else sees."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

from api.imports.sources import Row
from api.imports.times import written

Order = Literal["case", "time"]


@dataclass(frozen=True, slots=True)
class Event:
    """A row as something that happened in a case."""

    row: Row
    at: datetime
    case: str = ""
    activity: str = ""
    resource: str | None = None
    lifecycle: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place in its case: the `number`-th of `of` events, of a case that ran from `first` to `last`."""

    event: Event
    number: int
    of: int
    first: datetime
    last: datetime


_ORDERS: dict[Order, str] = {"case": "first, opened, number", "time": "at, seq"}
_READ = """
    with placed as (
        select *, row_number() over w as number, count(*) over c as many, min(at) over c as first, max(at) over c as last, min(seq) over c as opened
        from event window c as (partition by kase), w as (partition by kase order by at, seq)
    )
    select at, kase, activity, resource, lifecycle, file, row, line, cells, number, many, first, last from placed order by
"""


def in_order(events: Iterable[Event], order: Order) -> Iterator[Placed]:
    """The events case by case (cases by their first event), or all by time; what happened at once stays in the order it came."""
    with closing(sqlite3.connect("")) as db:
        db.execute(
            "create table event (seq integer primary key, at text, kase text, activity text, resource text, lifecycle text,"
            " file text, row integer, line integer, cells blob)"
        )
        db.executemany("insert into event values (null,?,?,?,?,?,?,?,?,?)", map(_stored, events))
        for at, case, activity, resource, lifecycle, file, row, line, cells, number, many, first, last in db.execute(
            _READ + _ORDERS[order]
        ):
            event = Event(Row(file, row, line, orjson.loads(cells)), _read(at), case, activity, resource, lifecycle)
            yield Placed(event, number, many, _read(first), _read(last))


def _stored(event: Event) -> tuple[object, ...]:
    row = event.row
    cells = orjson.dumps(dict(row.cells))
    return written(event.at), event.case, event.activity, event.resource, event.lifecycle, row.file, row.number, row.line, cells


_read = datetime.fromisoformat
