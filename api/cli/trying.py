"""`daybook whatif`: a trial from a file, and its figures beside today's."""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from api.cli.output import STDOUT, print_json, print_rows
from api.cli.session import session_of
from api.problems import InvalidRequest

File = Annotated[Path, typer.Argument(help="What is to be tried, as TOML.", exists=True, dir_okay=False)]
All = Annotated[bool, typer.Option("--all", help="Also figures that stay as they are.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="Of what had happened by this day or instant.", show_default=False)]
KnownAt = Annotated[str | None, typer.Option("--known-at", help="Of what was known by this day or instant.", show_default=False)]
COLUMNS = ("key", "figure", "old", "new", "difference")


def command(context: typer.Context, file: File, *, everything: All = False, as_of: AsOf = None, known_at: KnownAt = None) -> None:
    """Fold all history again under other rules that a file says (stages, probabilities, service targets, further read models), beside today's."""
    session = session_of(context)
    headers = {"Content-Type": "application/json"}
    moment = {"as_of": as_of, "known_at": known_at}
    answer = session.ask("POST", "/v1/whatif", parameters=moment, body=orjson.dumps(_read(file)), headers=headers).json()
    if session.as_json:
        print_json(answer)
        return
    for comparison in answer["comparisons"]:
        _show(comparison, everything=everything)


def _read(file: Path) -> Any:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} is not TOML: {error}") from None


def _show(comparison: Mapping[str, Any], *, everything: bool) -> None:
    title = " ".join(filter(None, [comparison["name"], comparison["about"]]))
    if all(row["old"] is None for row in comparison["rows"]):
        _show_new(comparison, title)
        return
    lines = [line for row in comparison["rows"] for line in _lines(comparison["figures"], row)]
    shown = [line for line in lines if everything or line[2] != line[3]]
    same = f"{len(lines) - len(shown):,} figures stay as they are"
    if not shown:
        STDOUT.print(f"{title}: {same}\n", highlight=False, markup=False)
        return
    print_rows(shown, title, columns=COLUMNS)
    if len(shown) < len(lines):
        STDOUT.print(f"{same}\n", highlight=False, markup=False)


def _lines(figures: Sequence[str], row: Mapping[str, Any]) -> list[list[Any]]:
    key = " · ".join("–" if part is None else str(part) for part in row["key"])
    old, new = ((row[side] or dict[str, Any]()) for side in ("old", "new"))
    return [[key, name, _cell(old.get(name), name), _cell(new.get(name), name), _cell(row["difference"][name], name)] for name in figures]


def _cell(value: Any, name: str) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.2%}" if name.endswith("_rate") else f"{value:,.2f}"
        case int():
            return f"{value:,}"
        case str() if name.endswith("value"):
            return f"{Decimal(value):,.2f}"
        case _:
            return str(value)


def _show_new(comparison: Mapping[str, Any], title: str) -> None:
    names = [*comparison["key"], *comparison["figures"]]
    rows = [[*row["key"], *row["new"].values()] for row in comparison["rows"]]
    print_rows(rows, f"{title} (new)", columns=names)
    if len(rows) < comparison["rows_in_all"]:
        STDOUT.print(f"the first {len(rows):,} of {comparison['rows_in_all']:,} rows\n", highlight=False, markup=False)
