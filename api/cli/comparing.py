"""`daybook diff NAME`: how the answer of a read differs between two moments."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from api.cli.caller import ask
from api.cli.fields import body_of, with_options
from api.cli.output import STDOUT, print_json, print_rows
from api.cli.queries import MOMENT, QUERIES, Query
from api.cli.querying import Reads, request_of
from api.cli.session import session_of
from replay.difference import differences

COLUMNS: Final = ("path", "before", "after", "change")


class Clock(StrEnum):
    """By which clock the two moments are meant."""

    HAPPENED = "happened"
    KNOWN = "known"

    @property
    def parameter(self) -> str:
        """What a read is asked with."""
        return "as_of" if self is Clock.HAPPENED else "known_at"


Before = Annotated[str, typer.Option("--between", help="The earlier moment: a day (up to its end, UTC), or an instant.")]
After = Annotated[str | None, typer.Option("--and", help="The later moment; now, unless given.", show_default=False)]
By = Annotated[Clock, typer.Option("--clock", help="What had `happened` by then, or what was `known` by then.")]


class Comparisons(Reads):
    """A group whose subcommands are the reads that can be asked as of a moment."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return [name for name in super().list_commands(ctx) if QUERIES[name].has_moments]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The subcommand of a name."""
        return _comparison(QUERIES[cmd_name]) if cmd_name in self.list_commands(ctx) else None


def _comparison(query: Query) -> Any:
    fields = [field for field in query.fields if field.name not in MOMENT]

    def run(context: typer.Context, between: Before, later: After = None, clock: By = Clock.HAPPENED, **given: Any) -> None:
        session = session_of(context)
        with session.calling() as caller:
            path, parameters = request_of(caller, query, body_of(fields, given))
            before, after = (
                ask(caller, "GET", path, parameters={**parameters, clock.parameter: moment}).json() for moment in (between, later)
            )
        found = [asdict(difference) for difference in differences(before, after)]
        if session.as_json:
            print_json({"between": between, "and": later, "clock": clock, "differences": found})
        elif found:
            print_rows(found, names=COLUMNS)
        else:
            STDOUT.print("nothing is different")

    program = typer.Typer(add_completion=False)
    summary = f"How this differs between two moments: {query.summary}"
    program.command(query.name, help=summary)(with_options(run, fields, positional=query.places))
    return typer.main.get_command(program)


program = typer.Typer(cls=Comparisons, no_args_is_help=True, help="What changed in the answer of a read between two moments.")
