"""`daybook publish`: the log goes to Kafka, once or for as long as the process runs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.output import STDERR, STDOUT, print_answer, print_json, progress
from api.cli.session import folding, session_of

if TYPE_CHECKING:
    from bus.kafka.publisher import Publisher

Once = Annotated[bool, typer.Option("--once", help="Publish what there is, and end.")]


def command(context: typer.Context, *, once: Once = False) -> None:
    """Publish every event to Kafka (DAYBOOK_KAFKA), each once and in order, until told to stop (Ctrl-C or SIGTERM)."""
    # Kafka's message formats take a third of a second to read, which no other command should wait for.
    from api.publishing import publish  # noqa: PLC0415

    session = session_of(context)
    settings = session.settings
    about: dict[str, Any] = {"kafka": settings.kafka, "topic": f"{settings.topics_prefix}.events"}
    with progress(unit="events", hidden=session.as_json) as bar:
        shown = folding(bar, "publishing")

        def begun(publisher: "Publisher") -> None:
            if once:
                return
            if session.as_json:
                print_json({**about, "position": publisher.position})
            else:
                STDOUT.print(
                    f"Daybook publishes [bold]{settings.data}[/] to [bold]{about['topic']}[/] at {about['kafka']}", highlight=False
                )
                STDOUT.print("Stop it with Ctrl-C.")
            sys.stdout.flush()

        def told(position: int, head: int) -> None:
            shown(position, head)
            if position >= head and not once:
                bar.stop()

        publisher = publish(settings, once=once, begun=begun, told=told)
    answer = {**about, "position": publisher.position, "lag": publisher.lag, "published": publisher.shipped, "epoch": publisher.epoch}
    if once or session.as_json:
        print_answer(answer, as_json=session.as_json)
    else:
        STDERR.print(f"Published up to position {publisher.position}.", highlight=False)
