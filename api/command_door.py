"""The door for one command: `POST /v1/commands/{name}`, kept short because every write of every service goes through it."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from api.asking import JSON, asked, content_type, headers_of, parameters_of, read_body, refuse, respond
from api.problems import MalformedBody, describe
from commands.catalogue import COMMANDS
from commands.errors import UnknownCommand
from commands.order import Order, Outcome, Receipt, Refusal
from commands.registry import RegisteredCommand
from commands.unit import misshapen
from domain.errors import DaybookError

ACTOR: Final = "user:local"
"""Who asks, until there are users: somebody on this machine."""
SOURCE: Final = "api"
PARAMETERS: Final = frozenset({"occurred_at"})


class Submit(Protocol):
    """Hands orders to the dispatcher and waits until they are durable."""

    def __call__(self, orders: Sequence[Order], *, atomic: bool = False) -> Awaitable[list[Outcome]]: ...


class CommandDoor:
    """An ASGI endpoint: reads one command, hands it to `submit`, answers with its receipt or with a problem."""

    def __init__(self, submit: Submit, *, largest: int) -> None:
        self._submit = submit
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            order = await self._order(scope, receive)
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
        data = shaped(registered, await read_body(receive, self._largest))
        return Order(
            name=name,
            data=data,
            actor=ACTOR,
            source=SOURCE,
            command_id=about.command_id,
            occurred_at=about.occurred_at,
            expected_version=about.expected_version,
            correlation_id=about.correlation_id,
            causation_id=about.causation_id,
        )


def shaped(registered: RegisteredCommand, body: bytes) -> Mapping[str, Any]:
    """A command's data as JSON, which keeps exactly to the published schema. Raises MalformedBody or InvalidCommand."""
    try:
        data: Mapping[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody("body.malformed", f"the body is not JSON: {error}") from None
    try:
        registered.model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise misshapen(registered.name, error) from None
    return data


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
