"""`daybook take-commands`: commands come from Kafka, once or for as long as the process runs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.output import STDERR, STDOUT, print_answer, print_json
from api.cli.session import session_of

if TYPE_CHECKING:
    from api.command_topic.taking import Taking

Once = Annotated[bool, typer.Option("--once", help="Take what there is, and end.")]


def command(context: typer.Context, *, once: Once = False) -> None:
    """Take commands from Kafka (DAYBOOK_KAFKA), apply each once, and answer each, until told to stop (Ctrl-C or SIGTERM)."""
    # Kafka's message formats take a third of a second to read, which no other command should wait for.
    from api.taking import COMMANDS, RECEIPTS, take_commands  # noqa: PLC0415

    session = session_of(context)
    settings = session.settings
    prefix = settings.topics_prefix
    about: dict[str, Any] = {"kafka": settings.kafka, "commands": f"{prefix}.{COMMANDS}", "receipts": f"{prefix}.{RECEIPTS}"}

    def begun(_taking: "Taking") -> None:
        if once:
            return
        if session.as_json:
            print_json(about)
        else:
            STDOUT.print(f"Daybook takes commands from [bold]{about['commands']}[/] at {settings.kafka}", highlight=False)
            STDOUT.print("Stop it with Ctrl-C.")
        sys.stdout.flush()

    taking = take_commands(settings, once=once, begun=begun)
    answer = {**about, "taken": taking.taken, "refused": taking.refused}
    if once or session.as_json:
        print_answer(answer, as_json=session.as_json)
    else:
        STDERR.print(f"Took {taking.taken} commands, of which {taking.refused} were refused.", highlight=False)
