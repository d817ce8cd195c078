"""`daybook query NAME`: one subcommand for each read, made when it is asked for."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import UUID

import typer
from typer.core import TyperGroup

from api.cli.caller import Distant, Local, ask
from api.cli.fields import body_of, with_options
from api.cli.output import print_answer
from api.cli.queries import QUERIES, Query, plural_of, text_of
from api.cli.session import session_of
from domain.errors import NotFound


class Reads(TyperGroup):
    """A group whose subcommands are the reads."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group's interface
        """Their names."""
        return list(QUERIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the group's interface
        """The subcommand of a name."""
        query = QUERIES.get(cmd_name)
        return None if query is None else _subcommand(query)


def _subcommand(query: Query) -> Any:
    def run(context: typer.Context, **given: Any) -> None:
        session = session_of(context)
        with session.calling() as caller:
            path, parameters = request_of(caller, query, body_of(query.fields, given))
            answer = ask(caller, "GET", path, parameters=parameters)
        print_answer(answer.json(), as_json=session.as_json, shows=query.shows)

    program = typer.Typer(add_completion=False)
    program.command(query.name, help=query.summary)(with_options(run, query.fields, positional=query.places))
    return typer.main.get_command(program)


def request_of(caller: Distant | Local, query: Query, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The address of a read and its parameters; records are named by their ids there. Raises NotFound."""
    parameters = {name: text_of(value) for name, value in asked.items() if name not in query.places}
    if "pipeline" in parameters:
        parameters["pipeline"] = id_of(caller, "pipelines", parameters["pipeline"])
    plural = plural_of(query)
    ids = {place: asked[place] if plural is None else id_of(caller, plural, asked[place]) for place in query.places}
    return query.path.format(**{place: quote(found, safe="") for place, found in ids.items()}), parameters


def id_of(caller: Distant | Local, plural: str, name: str) -> str:
    """The id of a record by its id, by source:id, or (pipelines) by its name. Raises NotFound."""
    with suppress(ValueError):
        return str(UUID(name))
    source, colon, external = name.partition(":")
    wanted = {"external_source": source, "external_id": external} if colon else {"name": name}
    found: list[dict[str, Any]] = []
    if colon or plural == "pipelines":
        found = ask(caller, "GET", f"/v1/{plural}", parameters={**wanted, "limit": 2}).json()["items"]
    kind = _kind_of(plural)
    if len(found) != 1:
        raise NotFound(f"{kind}.unknown", f"there is no one {kind} “{name}”; give its id, or another system's name for it as source:id")
    return str(found[0][f"{kind}_id"])


def _kind_of(plural: str) -> str:
    """What one of several is called."""
    return plural[:-3] + "y" if plural.endswith("ies") else plural.removesuffix("s")


program = typer.Typer(cls=Reads, no_args_is_help=True, help="Ask a read model; each has its own options (`daybook query NAME --help`).")
