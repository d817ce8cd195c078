"""`daybook command NAME`: one subcommand for each registered command, made when it is asked for."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import orjson
import typer
from typer.core import TyperGroup

from api.cli.fields import body_of, fields_of, with_options
from api.cli.output import print_answer
from api.cli.session import session_of
from api.openapi import schema_of
from api.problems import InvalidRequest
from commands.catalogue import COMMANDS
from commands.registry import RegisteredCommand

BodyOption = Annotated[
    str | None, typer.Option("--body", help="The whole message as JSON, @FILE, or - for standard input.", show_default=False)
]
CommandId = Annotated[
    str | None, typer.Option("--command-id", help="Yours to choose: repeating it does nothing again.", show_default=False)
]
IfMatch = Annotated[str | None, typer.Option("--if-match", help="The version of the record that you saw.", show_default=False)]
OccurredAt = Annotated[
    str | None, typer.Option("--occurred-at", help="When it happened (RFC 3339); now, unless you say.", show_default=False)
]


class Registry(TyperGroup):
    """A group whose subcommands are the registered commands."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group's interface
        """Their names, in the order of the records."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the group's interface
        """The subcommand of a name, with `-` for `_` if you like."""
        registered = COMMANDS.get(cmd_name.replace("-", "_"))
        return None if registered is None else _subcommand(registered)


def _subcommand(registered: RegisteredCommand) -> Any:
    fields = list(fields_of(schema_of(registered)))

    def run(
        context: typer.Context,
        body: BodyOption = None,
        command_id: CommandId = None,
        if_match: IfMatch = None,
        occurred_at: OccurredAt = None,
        **given: Any,
    ) -> None:
        session = session_of(context)
        message = {**_whole(body), **body_of(fields, given)}
        headers = {"Content-Type": "application/json", "Idempotency-Key": command_id, "If-Match": if_match}
        receipt = session.ask(
            "POST",
            "/v1/commands/" + quote(registered.name),
            parameters={"occurred_at": occurred_at},
            body=orjson.dumps(message),
            headers={name: value for name, value in headers.items() if value is not None},
        )
        print_answer(receipt.json(), as_json=session.as_json)

    program = typer.Typer(add_completion=False)
    program.command(registered.name, help=registered.summary)(with_options(run, fields))
    return typer.main.get_command(program)


def _whole(body: str | None) -> dict[str, Any]:
    if body is None:
        return {}
    raw = sys.stdin.buffer.read() if body == "-" else Path(body[1:]).read_bytes() if body.startswith("@") else body.encode()
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"--body is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise InvalidRequest("--body is not a JSON object")
    return message  # pyright: ignore[reportUnknownVariableType]


program = typer.Typer(
    cls=Registry, no_args_is_help=True, help="Send one command; each has its own options (`daybook command NAME --help`)."
)
