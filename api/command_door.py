"""The door for one command: `POST /v1/commands/{name}`, kept short because every write of every service goes through it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import orjson
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from api.asking import JSON, asked, content_type, decoded, has_fraction, headers_of, parameters_of, read_body, refuse, respond
from api.problems import describe
from commands.catalogue import COMMANDS
from commands.command import Command
from commands.errors import InvalidCommand, UnknownCommand
from commands.order import Order, Outcome, Receipt, Refusal
from commands.registry import RegisteredCommand
from commands.unit import misshapen
from domain.errors import DaybookError

ACTOR: Final = "user:local"
"""Who asks, until there are users: somebody on this machine."""
SOURCE: Final = "api"
EXACT: Final = 'write a number with a fraction as text, such as "12.50", so that it stays exact'
PARAMETERS: Final = frozenset({"occurred_at"})


class Submit(Protocol):
    """Hands orders to the dispatcher and waits until they are durable."""

    def __call__(self, orders: Sequence[Order], *, atomic: bool = False) -> Awaitable[list[Outcome]]: ...


Refused = Callable[[str | None, DaybookError], None]
"""Told of a command (None: it does not say which) that was refused before it came to the dispatcher."""


class CommandDoor:
    """An ASGI endpoint: reads one command, hands it to `submit`, answers with its receipt or with a problem."""

    def __init__(self, submit: Submit, *, largest: int, refused: Refused) -> None:
        self._submit = submit
        self._largest = largest
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            order = await self._order(scope, receive)
        except DaybookError as error:
            self._refused(scope["path_params"]["name"], error)
            return await refuse(send, describe(error))
        try:
            outcome = (await self._submit((order,)))[0]
        except DaybookError as error:
            return await refuse(send, describe(error))
        if isinstance(outcome, Refusal):
            return await refuse(send, describe(outcome.error, outcome.command_id))
        body = orjson.dumps(receipt_body(outcome))
        return await respond(send, 200, body, b"application/json", ((b"etag", b'"%d"' % outcome.version),))

    async def _order(self, scope: Scope, receive: Receive) -> Order:
        name: str = scope["path_params"]["name"]
        registered = COMMANDS.get(name)
        if registered is None:
            raise UnknownCommand(name)
        headers = headers_of(scope)
        content_type(headers, JSON)
        about = asked(headers, parameters_of(scope, PARAMETERS))
        data, command = shaped(registered, await read_body(receive, self._largest))
        return Order(
            name=name,
            data=data,
            command=command,
            actor=ACTOR,
            source=SOURCE,
            command_id=about.command_id,
            occurred_at=about.occurred_at,
            expected_version=about.expected_version,
            correlation_id=about.correlation_id,
            causation_id=about.causation_id,
        )


def shaped(registered: RegisteredCommand, body: bytes) -> tuple[Mapping[str, Any], Command]:
    """A command's data as JSON, which keeps exactly to the published schema, and the command. Raises MalformedBody or InvalidCommand."""
    data = decoded(body)
    fractions = list(_fractions(data, ())) if has_fraction(body) else ()
    if fractions:
        raise InvalidCommand(f"{registered.name} has the wrong shape", [{"loc": place, "msg": EXACT} for place in fractions])
    try:
        command = registered.model.model_validate_json(orjson.dumps(data), strict=True)
    except ValidationError as error:
        raise misshapen(registered.name, error) from None
    return cast("Mapping[str, Any]", data), command


def _fractions(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Where there are binary fractions."""
    match value:
        case float():
            yield place
        case dict():
            for name, item in cast("dict[str, Any]", value).items():
                yield from _fractions(item, (*place, name))
        case list():
            for index, item in enumerate(cast("list[Any]", value)):
                yield from _fractions(item, (*place, index))
        case _:
            return


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON has it."""
    return {
        "command_id": receipt.command_id,
        "stream_id": receipt.stream_id,
        "version": receipt.version,
        "position": receipt.position,
        "event_ids": receipt.event_ids,
        "repeated": receipt.repeated,
    }
