"""The `daybook` command: its subcommands and what they share."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli import asking, asking_sql, auditing, doctor, importing, ingesting, rebuilding, serving
from api.cli.session import Session, failures_told
from api.settings import load_settings

GLOBAL_OPTIONS: Final = {"--data": True, "--json": False}
"""Options that may stand anywhere, and whether each takes a value."""

Data = Annotated[Path | None, typer.Option("--data", help="The data folder (DAYBOOK_DATA).", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

program = typer.Typer(
    name="daybook",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="A CRM that is a book of original entry. Settings come from DAYBOOK_… variables; --data and --json may stand anywhere.",
)


@program.callback()
def begin(context: typer.Context, data: Data = None, *, as_json: AsJson = False) -> None:
    """Read the settings."""
    context.obj = Session(load_settings(data=data), as_json)


program.command("serve")(serving.command)
program.command("ingest")(ingesting.command)
program.command("import")(importing.command)
program.command("sql")(asking_sql.command)
program.command("rebuild")(rebuilding.rebuild)
program.command("rollback")(rebuilding.rollback)
program.command("doctor")(doctor.command)
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


def main() -> None:
    """Run the command line."""
    arguments = hoisted(sys.argv[1:])
    with failures_told(as_json="--json" in arguments):
        program(arguments, prog_name="daybook")
