"""One command among many, as a JSON object: what the bulk door and `daybook ingest` read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from api.asking import COMMAND_ID, decoded, instant
from api.problems import InvalidRequest
from commands.order import Order
from domain.errors import DaybookError

FIELDS: Final = ("command", "command_id", "occurred_at", "expected_version", "correlation_id", "causation_id", "report", "data")
LARGEST_VERSION: Final = 999_999_999
LONGEST_ID: Final = 200

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "title": "CommandLine",
    "description": "One command among many.",
    "required": ["command", "data"],
    "additionalProperties": False,
    "properties": {
        "command": {
            "type": "string",
            "description": "The command's name; each has its own route under /v1/commands/, where `data` is described.",
        },
        "command_id": {
            "type": ["string", "null"],
            "pattern": COMMAND_ID,
            "description": "Yours to choose: a repeated id returns the first receipt and does nothing again.",
        },
        "occurred_at": {"type": ["string", "null"], "format": "date-time", "description": "When it happened; now, unless you say."},
        "expected_version": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": LARGEST_VERSION,
            "description": "The version of the record that you saw; another one refuses the command.",
        },
        "correlation_id": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": LONGEST_ID,
            "description": "Ties together what belongs together.",
        },
        "causation_id": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_ID, "description": "What made you ask."},
        "data": {"type": "object", "description": "The command's fields."},
    },
}
"""The published shape of a line; `report` is left out, because only an import may report."""


@dataclass(frozen=True, slots=True)
class Door:
    """By which door lines come in: who sends them, and whether they may report what already happened."""

    actor: str
    source: str
    reports: bool = False


def order_of(line: Any, door: Door) -> Order:
    """The order that a decoded line holds. Raises InvalidRequest naming the member that is wrong, or RuleViolation `time.too_early`."""
    if type(line) is not dict:
        raise _wrong("", "a command is a JSON object")
    members = cast("dict[str, Any]", line)
    name, data, command_id, moment = members.get("command"), members.get("data"), members.get("command_id"), members.get("occurred_at")
    report = members.get("report", False)
    if type(name) is not str:
        raise _wrong("command", "give the command's name")
    if type(data) is not dict:
        raise _wrong("data", "give the command's fields as an object")
    if command_id is not None and not (type(command_id) is str and 0 < len(command_id) <= LONGEST_ID and _is_printable(command_id)):
        raise _wrong("command_id", "give 1 to 200 printable ASCII characters without spaces")
    if moment is not None and type(moment) is not str:
        raise _wrong("occurred_at", "give an RFC 3339 date-time with its offset")
    if report is not False and (report is not True or not door.reports):
        raise _wrong("report", "true or false" if door.reports else "only an import may report what already happened; ask for it instead")
    rest = _rest(members)
    return Order(
        name=name,
        data=cast("dict[str, Any]", data),
        actor=door.actor,
        source=door.source,
        command_id=command_id,
        occurred_at=None if moment is None else instant(moment, "occurred_at"),
        report=report,
        **rest,
    )


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _rest(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are seldom given."""
    rest: dict[str, Any] = {}
    for member, value in members.items():
        if member not in FIELDS:
            raise _wrong(member, f"a line has no such member; it has {', '.join(FIELDS)}")
        if value is None:
            continue
        if member == "expected_version":
            if type(value) is not int or not 0 <= value <= LARGEST_VERSION:
                raise _wrong(member, f"give a whole number from 0 to {LARGEST_VERSION}")
            rest[member] = value
        elif member in ("correlation_id", "causation_id"):
            if type(value) is not str or not 0 < len(value) <= LONGEST_ID:
                raise _wrong(member, f"give 1 to {LONGEST_ID} characters")
            rest[member] = value
    return rest


def parse_line(line: bytes, door: Door) -> Order | DaybookError:
    """The order in one NDJSON line, or why there is none."""
    try:
        return order_of(decoded(line), door)
    except DaybookError as error:
        return error


def parse_list(items: Sequence[Any], door: Door) -> list[Order]:
    """The orders in a JSON list. Raises InvalidRequest with every place that is wrong."""
    orders: list[Order] = []
    wrong: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            orders.append(order_of(item, door))
        except InvalidRequest as error:
            wrong.extend({"loc": [index, *detail["loc"]], "msg": detail["msg"]} for detail in error.details)
    if wrong:
        raise InvalidRequest(f"{len(wrong)} places are wrong, so no command was looked at", wrong[:100])
    return orders


def _wrong(member: str, message: str) -> InvalidRequest:
    place = [member] if member else []
    return InvalidRequest(f"{member}: {message}" if member else message, [{"loc": place, "msg": message}])
