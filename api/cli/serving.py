"""`daybook serve`: one process that answers HTTP and keeps the read models up to date."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from api.cli.output import STDOUT, print_json, progress
from api.cli.session import Session, folding, session_of
from api.serving import serve

Host = Annotated[str | None, typer.Option("--host", help="Loopback only, until access control exists (DAYBOOK_HOST).", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free one (DAYBOOK_PORT).", show_default=False)]


def command(context: typer.Context, host: Host = None, port: Port = None) -> None:
    """Serve until told to stop (Ctrl-C or SIGTERM); what was begun is answered first."""
    session = session_of(context)

    def ready(url: str) -> None:
        if session.as_json:
            print_json({"url": url, "data": str(session.settings.data)})
            return
        STDOUT.print(f"Daybook serves [bold]{session.settings.data}[/] at [bold]{url}[/]", highlight=False)
        STDOUT.print(f"  reference   {url}/docs\n  health      {url}/health\n  events      {url}/v1/events?after=0", highlight=False)
        STDOUT.print("Stop it with Ctrl-C.")

    served(session, host, port, ready=ready)


def served(session: Session, host: str | None, port: int | None, *, ready: Callable[[str], None]) -> None:
    """Serve the session's data folder; what has to be folded first is shown."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    with progress(unit="events", hidden=session.as_json) as bar:

        def begun(url: str) -> None:
            bar.stop()
            ready(url)
            sys.stdout.flush()

        serve(session.settings.model_copy(update=given), ready=begun, progress=folding(bar))
