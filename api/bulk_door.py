"""The door for many commands: `POST /v1/commands` takes a JSON list or NDJSON, all or none of them or each for itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from api.asking import JSON, NDJSON, content_type, decoded, flag, headers_of, origin, parameters_of, read_body, refuse, respond
from api.command_door import ACTOR, SOURCE, Refused, Submit, receipt_body
from api.lines import Door, parse_line, parse_list
from api.problems import MalformedBody, TooLarge, describe, encode, problem
from commands.errors import NotApplied
from commands.order import Order, Outcome, Refusal
from domain.errors import DaybookError

DOOR: Final = Door(ACTOR, SOURCE)
PARAMETERS: Final = frozenset({"atomic"})
CHUNK: Final = 1_000
"""Commands that one transaction takes when each stands for itself, so that others get their turn in between."""

SHOWN: Final = 100
"""Refusals of an atomic request that its problem shows."""

Item = Order | DaybookError


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest body in bytes and the most commands in it."""

    body: int
    commands: int


class BulkDoor:
    """An ASGI endpoint: reads many commands and answers each in order, or refuses the whole request with a problem."""

    def __init__(self, submit: Submit, limits: Limits, refused: Refused) -> None:
        self._submit = submit
        self._limits = limits
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            headers = headers_of(scope)
            media_type = content_type(headers, JSON, NDJSON)
            atomic = flag(parameters_of(scope, PARAMETERS), "atomic")
            body = await read_body(receive, self._limits.body)
            items = caused(await asyncio.to_thread(self._parse, body, media_type), *origin(headers))
            outcomes = await (self._together(items) if atomic else self._each(items))
        except DaybookError as error:
            return await refuse(send, describe(error))
        if atomic and any(isinstance(outcome, Refusal) for outcome in outcomes):
            return await refuse(send, _refused_whole(outcomes))
        return await respond(send, 200, await asyncio.to_thread(_render, outcomes, media_type), media_type.encode())

    def _parse(self, body: bytes, media_type: str) -> Sequence[Item]:
        if media_type == NDJSON:
            lines = [line for line in body.split(b"\n") if line.strip()]
            self._count(lines)
            return [parse_line(line, DOOR) for line in lines]
        items = decoded(body)
        if not isinstance(items, list):
            raise MalformedBody("body.malformed", "the body is not a list of commands")
        self._count(items)  # pyright: ignore[reportUnknownArgumentType]
        return parse_list(items, DOOR)  # pyright: ignore[reportUnknownArgumentType]

    def _count(self, items: Sequence[Any]) -> None:
        if len(items) > self._limits.commands:
            raise TooLarge(
                "bulk.too_many", f"one request may hold {self._limits.commands:,} commands; send more requests, or use `daybook ingest`"
            )

    async def _each(self, items: Sequence[Item]) -> list[Outcome]:
        """Outcomes in order. When Daybook cannot go on after a part of them was done, each of the rest says so."""
        orders = [item for item in items if isinstance(item, Order)]
        answers: list[Outcome] = []
        for start in range(0, len(orders), CHUNK):
            try:
                answers += await self._submit(orders[start : start + CHUNK])
            except DaybookError as error:
                if not answers:
                    raise
                answers += [Refusal(order.command_id, error) for order in orders[start:]]
                break
        answered = iter(answers)
        return [next(answered) if isinstance(item, Order) else self._unread(item) for item in items]

    def _unapplied(self, order: Order) -> Refusal:
        error = NotApplied()
        self._refused(order.name, error)
        return Refusal(order.command_id, error)

    def _unread(self, error: DaybookError) -> Refusal:
        self._refused(None, error)
        return Refusal(None, error)

    async def _together(self, items: Sequence[Item]) -> list[Outcome]:
        if any(isinstance(item, DaybookError) for item in items):
            return [self._unapplied(item) if isinstance(item, Order) else self._unread(item) for item in items]
        return await self._submit([item for item in items if isinstance(item, Order)], atomic=True)


def caused(items: Sequence[Item], correlation_id: str | None, causation_id: str | None) -> Sequence[Item]:
    """The commands as caused by the request that they came with, where they do not say themselves what caused them."""
    if correlation_id is None:
        return items
    return [
        replace(item, correlation_id=correlation_id, causation_id=causation_id)
        if isinstance(item, Order) and item.correlation_id is None and item.causation_id is None
        else item
        for item in items
    ]


def result_of(outcome: Outcome) -> dict[str, Any]:
    """What became of one command among many."""
    if isinstance(outcome, Refusal):
        described = describe(outcome.error, outcome.command_id)
        return {"status": described["status"], "problem": described}
    return {"status": 200, "receipt": receipt_body(outcome)}


def _render(outcomes: Sequence[Outcome], media_type: str) -> bytes:
    if media_type == NDJSON:
        return b"".join(encode(result_of(outcome)) + b"\n" for outcome in outcomes)
    refused = sum(isinstance(outcome, Refusal) for outcome in outcomes)
    return encode({"accepted": len(outcomes) - refused, "refused": refused, "results": [result_of(outcome) for outcome in outcomes]})


def _refused_whole(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """That nothing was applied, and because of which commands; not those that were refused only because of others."""
    causes = [
        (index, outcome)
        for index, outcome in enumerate(outcomes)
        if isinstance(outcome, Refusal) and not isinstance(outcome.error, NotApplied)
    ]
    refusals = [{"index": index, "problem": describe(cause.error, cause.command_id)} for index, cause in causes[:SHOWN]]
    index, first = causes[0]
    detail = (
        f"{len(causes)} of {len(outcomes)} commands were refused, so none was applied; the first is number {index}: {first.error.message}"
    )
    return problem(HTTPStatus.CONFLICT, "batch.not_applied", detail, refusals=refusals)
