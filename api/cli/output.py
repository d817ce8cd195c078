"""How the command line shows answers: JSON for programs, tables for people."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

NOT_A_TERMINAL: Final = 160
"""Columns that a table may have where nobody says how wide a line is."""
LEAST: Final = 10
"""Columns that a text has at the least, before words are broken."""
STDOUT: Final = Console(soft_wrap=True, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else NOT_A_TERMINAL)
STDERR: Final = Console(stderr=True, soft_wrap=True)

_AMOUNT: Final = re.compile(r"-?\d+\.\d{2}(\d{2})?$")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")

Shows = Mapping[str, Sequence[str]]
"""By the name of a list, the columns that are shown of it."""


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output, indented where a person looks at it."""
    option = orjson.OPT_INDENT_2 if STDOUT.is_terminal else 0
    sys.stdout.write(orjson.dumps(value, default=str, option=option).decode() + "\n")


def print_answer(value: Any, *, as_json: bool, title: str = "", shows: Shows | None = None) -> None:
    """Print an answer: pairs for an object, a table for a list of rows, nested ones after those that they lie in."""
    if as_json:
        print_json(value)
    else:
        _print(value, title, shows or {})


def _print(value: Any, title: str, shows: Shows) -> None:
    if isinstance(value, Mapping):
        _print_object(cast("Mapping[str, Any]", value), title, shows)
    elif _is_rows(value):
        _print_list(cast("Sequence[Mapping[str, Any]]", value), title, shows)
    else:
        STDOUT.print(Text(_text(value)))


def _print_object(value: Mapping[str, Any], title: str, shows: Shows) -> None:
    nested: dict[str, Any] = {name: item for name, item in value.items() if _is_rows(item) or (isinstance(item, Mapping) and item)}
    plain = {name: item for name, item in value.items() if name not in nested and item is not None and item != []}
    if not plain and not nested:
        STDOUT.print(Text(f"{title}: nothing".removeprefix(": ")))
    if plain:
        table = Table(title=Text(title) if title else None, title_justify="left", show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, item in plain.items():
            table.add_row(Text(_heading(name)), Text(_text(item, name)))
        STDOUT.print(table)
    for name, item in nested.items():
        _print(item, name if name in shows else _heading(name), shows)


def _print_list(rows: Sequence[Mapping[str, Any]], title: str, shows: Shows) -> None:
    """Rows that hold rows themselves are shown one after the other, the rest as one table."""
    if title not in shows and any(_is_rows(item) for row in rows for item in row.values()):
        for row in rows:
            _print_object(row, title, shows)
        return
    print_rows(rows, title, names=shows.get(title))


def print_rows(rows: Sequence[Any], title: str = "", columns: Sequence[str] | None = None, names: Sequence[str] | None = None) -> None:
    """Print rows as a table: sequences in the order of `columns`, or objects, of which `names` are shown."""
    headings, cells = (columns, [list(row) for row in rows]) if columns is not None else _cells(rows, names)
    table = Table(
        title=Text(_heading(title)) if title else None, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    for place, name in enumerate(headings):
        numeric = all(_is_number(row[place]) for row in cells)
        longest = max((len(_text(row[place], name)) for row in cells), default=0)
        word = max(len(part) for part in _heading(name).split(" "))
        least = max(word, longest) if numeric else min(LEAST, longest)
        table.add_column(Text(_heading(name)), justify="right" if numeric else "left", overflow="fold", min_width=least)
    for row in cells:
        table.add_row(*(Text(_text(cell, name)) for name, cell in zip(headings, row, strict=True)))
    STDOUT.print(table if headings else Text(f"{title}: nothing".removeprefix(": ")))


def _cells(rows: Sequence[Any], names: Sequence[str] | None) -> tuple[Sequence[str], list[list[Any]]]:
    """The columns that hold something, and the rows' cells."""
    objects = [cast("Mapping[str, Any]", row) if isinstance(row, Mapping) else {"value": row} for row in rows]
    known = names or list(dict.fromkeys(name for row in objects for name in row))
    told = [name for name in known if any(row.get(name) not in (None, [], {}) for row in objects)]
    return told, [[row.get(name) for name in told] for row in objects]


def _is_rows(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, Mapping) for item in cast("list[Any]", value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | None) or (isinstance(value, str) and _AMOUNT.match(value) is not None)


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any, name: str = "") -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.2%}" if name.endswith("_rate") else f"{value:,.2f}"
        case Mapping():
            return orjson.dumps(value, default=str).decode()
        case list():
            items = cast("list[Any]", value)
            return ", ".join(items) if all(isinstance(item, str) for item in items) else orjson.dumps(items, default=str).decode()
        case _:
            text = str(value)
            if _AMOUNT.match(text):
                return f"{Decimal(text):,.2f}"
            return f"{text[:10]} {text[11:19]}Z" if _INSTANT.match(text) else text


def print_problem(described: Mapping[str, Any], *, as_json: bool = False) -> None:
    """Print why something was refused, to standard error."""
    if as_json:
        sys.stderr.write(orjson.dumps(described, default=str).decode() + "\n")
        return
    STDERR.print(f"[red bold]{described['code']}[/]: ", end="")
    STDERR.print(described["detail"], markup=False, highlight=False)
    for place in described.get("places", ()):
        STDERR.print(f"  {place['pointer'] or '/'}: {place['message']}", markup=False, highlight=False)


def progress(*, unit: str, hidden: bool) -> Progress:
    """A progress bar on standard error: `unit` is `bytes` or what is counted; hidden where nobody looks at it."""
    count: ProgressColumn = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    return Progress(*columns, console=STDERR, disable=hidden or not STDERR.is_terminal, transient=True)
