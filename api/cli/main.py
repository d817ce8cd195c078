"""The `daybook` command: its subcommands and what they share."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli import (
    asking,
    asking_sql,
    auditing,
    backing_up,
    comparing,
    demonstrating,
    doctor,
    explaining,
    feeding,
    importing,
    ingesting,
    persons,
    publishing,
    querying,
    rebuilding,
    secrets,
    serving,
    taking,
    trying,
    webhooks,
    working,
)
from api.cli.session import Session, failures_told
from api.observing import logs
from api.settings import load_settings

GLOBAL_OPTIONS: Final = {"--data": True, "--json": False}
"""Options that may stand anywhere, and whether each takes a value."""

GOING_ON: Final = frozenset({"serve", "publish", "work", "take-commands"})
"""Commands that go on until they are told to stop; what they log is read later."""

Data = Annotated[Path | None, typer.Option("--data", help="The data folder (DAYBOOK_DATA).", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

program = typer.Typer(
    name="daybook",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A CRM that is a book of original entry. Settings come from DAYBOOK_… variables; --data and --json may stand anywhere.",
)


@program.callback()
def begin(context: typer.Context, data: Data = None, *, as_json: AsJson = False) -> None:
    """Read the settings."""
    settings = load_settings(data=data)
    going_on = context.invoked_subcommand in GOING_ON
    logs.install(settings.log, settings.log_level or ("info" if going_on else "warning"))
    context.obj = Session(settings, as_json, folder_given="data" in settings.model_fields_set)


program.command("demo")(demonstrating.command)
program.command("serve")(serving.command)
program.command("work")(working.command)
program.command("take-commands")(taking.command)
program.command("ingest")(ingesting.command)
program.command("import")(importing.command)
program.add_typer(querying.program, name="query")
program.add_typer(comparing.program, name="diff")
program.add_typer(explaining.program, name="explain")
program.command("sql")(asking_sql.command)
program.command("feed")(feeding.command)
program.command("whatif")(trying.command)
program.command("rebuild")(rebuilding.rebuild)
program.command("verify")(rebuilding.verify)
program.command("rollback")(rebuilding.rollback)
program.command("retry")(rebuilding.retry)
program.command("folds")(rebuilding.folds)
program.command("publish")(publishing.command)
program.command("archive")(rebuilding.archive)
program.command("erase")(persons.erase)
program.command("export-person")(persons.export_person)
program.command("erasures")(persons.erasures)
program.add_typer(webhooks.program, name="webhooks")
program.add_typer(backing_up.program, name="backup")
program.command("restore")(backing_up.put_back)
program.command("doctor")(doctor.command)
program.command("new-secrets")(secrets.command)
program.add_typer(asking.program, name="command")
program.add_typer(auditing.program, name="audit")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options in front."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        name, equals, _ = argument.partition("=")
        if argument == "--":
            rest += [argument, *waiting]
        elif name not in GLOBAL_OPTIONS:
            rest.append(argument)
        else:
            front.append(argument)
            if GLOBAL_OPTIONS[name] and not equals:
                front += [value for value in [next(waiting, None)] if value is not None]
    return front + rest


def tune_interpreter() -> None:
    """Set the interpreter up for many small objects that live long, and for threads that hand over quickly.

    With the usual thresholds a fifth of the time of a bulk ingest goes into looking for cycles that are not there.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(0.001)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; it ends the process with its exit code."""
    tune_interpreter()
    given = hoisted(sys.argv[1:] if arguments is None else arguments)
    with failures_told(as_json="--json" in given):
        program(given, prog_name="daybook")
