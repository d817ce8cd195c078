"""Rows of changes as CSV (RFC 4180) that a spreadsheet opens without running anything in it: a line for each field that changed."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

COLUMNS: Final = (
    *(
        "position",
        "occurred_at",
        "recorded_at",
        "actor",
        "source",
        "command_id",
        "type",
        "record",
        "record_id",
        "version",
        "says",
        "irregular",
    ),
    *("field", "before", "after", "personal", "erased"),
)
"""One line for each field; an event that changed none has one line without."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def head() -> bytes:
    """The line that names the columns."""
    return _lines([COLUMNS])


def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The lines of some rows."""
    return _lines(line for row in rows for line in _of(row))


def _of(row: Mapping[str, Any]) -> Iterator[list[str]]:
    told = [_cell(row[name]) for name in COLUMNS[:12]]
    for change in row["changes"]:
        yield [*told, *(_cell(change[name]) for name in COLUMNS[12:])]
    if not row["changes"]:
        yield [*told, *([""] * len(COLUMNS[12:]))]


def _cell(value: Any) -> str:
    """A text that begins a formula has an apostrophe before it, which spreadsheets do not show."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            text = value
        case list() | tuple() if all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
            text = ", ".join(value)  # pyright: ignore[reportUnknownArgumentType]
        case list() | dict():
            text = orjson.dumps(value).decode()
        case _:
            text = str(value)
    return "'" + text if text.startswith(FORMULA) else text


def _lines(cells: Iterable[Iterable[str]]) -> bytes:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerows(cells)
    return sink.getvalue().encode("utf-8", "replace")
