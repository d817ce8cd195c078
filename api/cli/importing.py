"""`daybook import`: histories of other systems into the log, by a mapping; it can be stopped and run again."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from api.cli.output import STDERR, print_answer, progress
from api.cli.session import session_of
from api.command_door import ACTOR
from api.imports.runner import run_import
from api.wiring import open_books

Mapping = Annotated[str, typer.Option("--mapping", "-m", help="A mapping file, or the name of one that comes with Daybook.")]
Files = Annotated[list[Path], typer.Argument(help="CSV or XES, .gz too.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide everything, append nothing.")]
RefusedRows = Annotated[
    Path | None,
    typer.Option("--refused", help="Where rows that cannot be imported go; import.refused.csv unless you say.", show_default=False),
]


def command(context: typer.Context, files: Files, mapping: Mapping, refused: RefusedRows = None, *, dry_run: DryRun = False) -> None:
    """Import files of another system, keeping when things happened. Running it twice adds nothing; exit code 1 when a row was refused."""
    session = session_of(context)
    place = refused or Path("import.refused.csv")
    with open_books(session.settings) as books, progress(unit="rows", hidden=session.as_json) as bar:
        tasks: dict[str, TaskID] = {}

        def advanced(phase: str, done: int, total: int | None) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total, note="")
            bar.update(tasks[phase], completed=done, total=total)

        summary = run_import(
            mapping, files, log=books.log, dispatcher=books.decides_on, actor=ACTOR, dry_run=dry_run, refused=place, progress=advanced
        )
    if not summary.refused:
        place.unlink(missing_ok=True)
    print_answer({**asdict(summary), "refused_file": str(place) if summary.refused else None}, as_json=session.as_json)
    if not dry_run:
        session.fold()
    if summary.refused:
        STDERR.print(f"{summary.refused:,} {'row was' if summary.refused == 1 else 'rows were'} refused; {place} says why", markup=False)
        raise typer.Exit(summary.exit_code)
