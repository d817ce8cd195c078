"""`daybook work`: one of the workers that fold the events in Kafka into the lookups."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from api.cli.output import STDERR, STDOUT, print_json, progress
from api.cli.session import folding, session_of
from api.stopping import stopped_by_signals
from api.working import work
from projections.worker import Standing

Once = Annotated[bool, typer.Option("--once", help="Fold what is in the topic now, and end.")]


def command(context: typer.Context, once: Once = False) -> None:  # noqa: FBT002 - an option of the command line
    """Fold the events in Kafka into the lookups, beside any number of other workers, until told to stop (Ctrl-C or SIGTERM)."""
    session = session_of(context)
    with stopped_by_signals() as stopping, progress(unit="events", hidden=session.as_json) as bar:

        def tell(standing: Standing) -> None:
            bar.stop()
            if session.as_json:
                print_json(asdict(standing))
            else:
                _show(standing)
            sys.stdout.flush()

        work(session.settings, stopping, tell, once=once, progress=folding(bar))


def _show(standing: Standing) -> None:
    if standing.trouble:
        STDERR.print(f"waiting: {standing.trouble}", markup=False, highlight=False)
        return
    parts = ", ".join(map(str, standing.partitions)) or "none yet"
    STDOUT.print(f"partitions {parts} · {standing.events:,} events folded · lookups at position {standing.position:,}", highlight=False)
