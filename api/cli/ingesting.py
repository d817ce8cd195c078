"""`daybook ingest`: NDJSON of commands straight into the log, beside a running server or without one."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Self

import typer

from api.cli.output import STDERR, print_answer, progress
from api.cli.session import FAILED, session_of
from api.command_door import ACTOR
from api.ingest import STDIN, Tally, ingest, opened
from api.lines import Door
from api.wiring import open_books

SOURCE: Final = "cli"

File = Annotated[str, typer.Argument(help="NDJSON, .gz too; - for standard input.")]
RefusedFile = Annotated[
    Path | None, typer.Option("--refused", help="Where refused lines go; FILE.refused.ndjson unless you say.", show_default=False)
]


def command(context: typer.Context, file: File, refused: RefusedFile = None) -> None:
    """Send commands straight into the log, one JSON object a line: {"command": …, "command_id": …, "occurred_at": …, "data": {…}}.

    A line with "report": true states what already happened: rules that it breaks are noted, not enforced.
    Lines that have a command_id may be sent again without doing anything twice. Exit code 1 when a line was refused.
    """
    session = session_of(context)
    place = refused or Path("stdin.refused.ndjson" if file == STDIN else f"{file}.refused.ndjson")
    with ExitStack() as opening:
        refusals, books = opening.enter_context(_Refusals(place)), opening.enter_context(open_books(session.settings))
        source = opening.enter_context(opened(file))
        with progress(unit="bytes", hidden=session.as_json) as bar:
            task = bar.add_task("ingest", total=source.size, note="")

            def advanced(tally: Tally) -> None:
                bar.update(task, completed=source.read(), note=f"{tally.events:,} events, {tally.refused:,} refused")

            tally = ingest(source.lines, books.dispatcher, Door(ACTOR, SOURCE, reports=True), refused=refusals.write, advanced=advanced)
    told = {name: getattr(tally, name) for name in ("lines", "accepted", "repeated", "refused", "events", "position")}
    print_answer({**told, "refused_file": str(place) if tally.refused else None}, as_json=session.as_json)
    session.fold()
    if tally.refused:
        STDERR.print(f"{tally.refused:,} {'line was' if tally.refused == 1 else 'lines were'} refused; {place} says why", markup=False)
        raise typer.Exit(FAILED)


class _Refusals:
    """A file that begins to exist with the first refused line; only its owner may read it, as lines may be about people."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def write(self, line: bytes) -> None:
        """Add a line."""
        if self._file is None:
            self._file = self._closing.enter_context(os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"))
        self._file.write(line)
