"""How the command line shows answers: JSON for programs, tables for people."""

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

STDOUT: Final = Console(soft_wrap=True)
STDERR: Final = Console(stderr=True, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output, indented where a person looks at it."""
    option = orjson.OPT_INDENT_2 if STDOUT.is_terminal else 0
    sys.stdout.write(orjson.dumps(value, default=str, option=option).decode() + "\n")


def print_answer(value: Any, *, as_json: bool, title: str = "") -> None:
    """Print an answer: a table for a list of rows, pairs for an object, each nested list as a table of its own."""
    if as_json:
        print_json(value)
    elif isinstance(value, list):
        print_rows(cast("list[Any]", value), title)
    elif isinstance(value, Mapping):
        _print_object(cast("Mapping[str, Any]", value), title)
    else:
        STDOUT.print(_text(value), markup=False)


def print_rows(rows: Sequence[Any], title: str = "", columns: Sequence[str] | None = None) -> None:
    """Print rows (objects or sequences) as a table."""
    names, cells = _cells(rows, columns)
    table = Table(title=title or None, title_justify="left", header_style="bold", expand=False)
    for place, name in enumerate(names):
        numeric = all(isinstance(row[place], int | float | Decimal | None) for row in cells)
        table.add_column(Text(name.replace("_", " ")), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(_text(cell)) for cell in row))
    STDOUT.print(table if names else Text(f"{title}: nothing".removeprefix(": ")))


def _cells(rows: Sequence[Any], columns: Sequence[str] | None) -> tuple[Sequence[str], list[Sequence[Any]]]:
    """The columns' names and the rows' cells; rows are sequences in the order of `columns`, or objects."""
    if columns is not None:
        return columns, [cast("Sequence[Any]", row) for row in rows]
    objects = [cast("Mapping[str, Any]", row) if isinstance(row, Mapping) else {"value": row} for row in rows]
    names = list(dict.fromkeys(name for row in objects for name in row))
    return names, [[row.get(name) for name in names] for row in objects]


def _print_object(value: Mapping[str, Any], title: str) -> None:
    lists = {name: item for name, item in value.items() if _is_rows(item)}
    plain = {name: item for name, item in value.items() if name not in lists}
    if plain:
        table = Table(title=title or None, title_justify="left", show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, item in plain.items():
            table.add_row(name.replace("_", " "), Text(_text(item)))
        STDOUT.print(table)
    for name, rows in lists.items():
        print_rows(rows, name.replace("_", " "))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in cast("list[Any]", value))


def _text(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case Mapping() | list():
            return orjson.dumps(value, default=str).decode()
        case _:
            return str(value)  # pyright: ignore[reportUnknownArgumentType]


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
