"""`daybook demo`: two years of a made-up company in a folder of its own, served, with five things to try."""

import sys
from dataclasses import asdict
from pathlib import Path
from shutil import which
from typing import Annotated, Final

import orjson
import typer
from pydantic import TypeAdapter
from rich.text import Text

from api.cli.output import STDERR, STDOUT, print_json, progress
from api.cli.serving import Host, Port, served
from api.cli.session import Session, folding, session_of
from api.demo.fill import USUAL_EVENTS, Summary, fill
from api.demo.tour import Thing, five_things
from api.folder import Folder
from api.wiring import open_books
from domain.errors import RuleViolation

FOLDER: Final = Path("data/demo")
TOLD: Final = "demo.json"
"""What the demonstration was, beside its events."""

_SUMMARY: Final = TypeAdapter(Summary)

Events = Annotated[int, typer.Option("--events", min=1_000, max=5_000_000, help="About so many events.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed makes the same company.")]
Serve = Annotated[bool, typer.Option("--serve/--no-serve", help="Serve it afterwards.")]


def command(
    context: typer.Context, events: Events = USUAL_EVENTS, seed: Seed = 2024, host: Host = None, port: Port = None, *, serve: Serve = True
) -> None:
    """Fill a data folder (data/demo unless --data says another) with two years of a made-up company, through real commands, and serve it."""
    session = session_of(context)
    if not session.folder_given:
        session.settings = session.settings.model_copy(update={"data": FOLDER})
    summary = _known(session.settings.data) or _filled(session, events, seed)
    things = five_things(summary)
    if not serve:
        session.fold()
        return _tell(session, summary, things, None)
    return served(session, host, port, ready=lambda url: _tell(session, summary, things, url))


def _known(folder: Path) -> Summary | None:
    """What was made in this folder before, if a demonstration was."""
    told = folder / TOLD
    if not told.exists():
        return None
    return _SUMMARY.validate_json(told.read_bytes())


def _filled(session: Session, events: int, seed: int) -> Summary:
    settings = session.settings
    with open_books(settings) as books, progress(unit="events", hidden=session.as_json) as bar:
        if books.log.head():
            message = f"{settings.data} holds something else, or a demonstration that was not finished; name an empty folder with --data"
            raise RuleViolation("demo.not_empty", message)
        STDERR.print(Text(f"Two years of a made-up company, about {events:,} events, into {settings.data}"))
        summary = fill(books.log, events=events, seed=seed, progress=folding(bar, "living"), base_currency=settings.base_currency)
    (Folder(settings.data).path / TOLD).write_bytes(orjson.dumps(asdict(summary)))
    return summary


def _tell(session: Session, summary: Summary, things: tuple[Thing, ...], url: str | None) -> None:
    if session.as_json:
        print_json({"url": url, "data": str(session.settings.data), **asdict(summary), "try": [asdict(thing) for thing in things]})
        return
    period = f"{summary.since:%Y-%m-%d} to {summary.until:%Y-%m-%d}"
    STDOUT.print(Text(f"{summary.customers:,} customers, {summary.events:,} events from {summary.commands:,} commands, {period}"))
    if url is not None:
        STDOUT.print(Text(f"Daybook serves it at {url} (reference: {url}/docs). Stop it with Ctrl-C."))
    STDOUT.print("\n[bold]Five things to try[/], in another terminal:")
    for number, thing in enumerate(things, 1):
        STDOUT.print(Text(f"\n{number}. {thing.why}"))
        STDOUT.print(Text(f"   {_with_folder(thing.command, session)}", style="cyan"))
        if thing.path is not None and url is not None:
            STDOUT.print(Text(f"   {url}{thing.path}", style="dim"))


def _with_folder(command: str, session: Session) -> str:
    return command.replace("daybook ", f"{_program()} --data {session.settings.data} ", 1)


def _program() -> str:
    """How this program is called from here: by its name where that is found, else by the path it was called by."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "daybook" and which("daybook") is None else "daybook"
