"""`daybook sql`: one SELECT on the facts."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from api.cli.output import STDERR, print_json, print_rows
from api.cli.session import session_of
from api.problems import InvalidRequest
from api.sql import Format

Sql = Annotated[str, typer.Argument(help="One SELECT, or - to read it from standard input.")]
As = Annotated[
    Format | None, typer.Option("--format", help="The rows as they are, for programs; a table unless given.", show_default=False)
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="A file for the rows.", show_default=False)]
Parameter = Annotated[list[str] | None, typer.Option("--parameter", "-p", help="For ? in the SQL, in order; text.", show_default=False)]


AsOf = Annotated[str | None, typer.Option("--as-of", help="The facts of what had happened by this day or instant.", show_default=False)]
KnownAt = Annotated[str | None, typer.Option("--known-at", help="The facts as known by this day or instant.", show_default=False)]


def command(
    context: typer.Context,
    sql: Sql,
    how: As = None,
    output: Output = None,
    parameter: Parameter = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """Ask the facts one SELECT. `daybook sql "SHOW TABLES"` names them, `daybook sql "DESCRIBE stage_visits"` their columns."""
    session = session_of(context)
    if how in (Format.ARROW, Format.PARQUET) and output is None and sys.stdout.isatty():
        raise InvalidRequest(f"--format {how} is not for a terminal; give --output FILE")
    text = sys.stdin.read() if sql == "-" else sql
    body = orjson.dumps({"sql": text, "parameters": parameter or []})
    asked = how or Format.JSON
    parameters = {"format": asked.value, "as_of": as_of, "known_at": known_at}
    answer = session.ask("POST", "/v1/sql", parameters=parameters, body=body, headers={"Content-Type": "application/json"})
    if output is not None:
        output.write_bytes(answer.content)
    elif how is not None and how is not Format.JSON:
        sys.stdout.buffer.write(answer.content)
    elif session.as_json or how is Format.JSON:
        print_json(answer.json())
    else:
        found = answer.json()
        names = [column["name"] for column in found["columns"]]
        print_rows(found["rows"], columns=names)
        if found["truncated"]:
            STDERR.print(f"[yellow]only the first {len(found['rows']):,} rows[/]; there are more")
