"""What a request says besides its body: its content type, and the headers and parameters that go with a command."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from api.observing.note import NOTE, note_code
from api.problems import PROBLEM, InvalidRequest, MalformedBody, TooLarge, UnsupportedContent, encode
from domain.errors import RuleViolation

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
COMMAND_ID: Final = r"^[!-~]{1,200}$"
ENTITY_TAG: Final = r'^("[0-9]{1,9}"|[0-9]{1,9})$'
RFC_3339: Final = r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$"
_COMMAND_ID = re.compile(COMMAND_ID)
_ENTITY_TAG = re.compile(ENTITY_TAG)
_RFC_3339 = re.compile(RFC_3339, re.ASCII)
_TRACE_PARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_FRACTION = re.compile(rb"\d[.eE]")
EARLIEST_YEAR: Final = 1900
LARGEST_WHOLE: Final = 2.0**53


@dataclass(frozen=True, slots=True)
class Asked:
    """What the headers and parameters say of a command."""

    command_id: str | None
    expected_version: int | None
    occurred_at: datetime | None
    correlation_id: str | None
    causation_id: str | None


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The request's headers by their lower-case names."""
    return dict(scope["headers"])


def parameters_of(scope: Scope, known: frozenset[str]) -> Mapping[str, str]:
    """The query parameters. Raises InvalidRequest for one that is not in `known` or given twice."""
    raw: bytes = scope["query_string"]
    if not raw:
        return {}
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    for name, _ in pairs:
        if name not in known:
            raise _wrong(name, f"there is no such parameter; known are {', '.join(sorted(known))}")
    if len(dict(pairs)) < len(pairs):
        raise _wrong(pairs[0][0], "give each parameter once")
    return dict(pairs)


def content_type(headers: Mapping[bytes, bytes], *accepted: str) -> str:
    """The body's media type without parameters. Raises UnsupportedContent unless it is one of `accepted`."""
    media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if media_type not in accepted:
        raise UnsupportedContent("content.unsupported", f"send {' or '.join(accepted)}, not {media_type or 'a body without Content-Type'}")
    return media_type


def asked(headers: Mapping[bytes, bytes], parameters: Mapping[str, str]) -> Asked:
    """What goes with a command. Raises InvalidRequest, or RuleViolation `time.too_early`."""
    correlation_id, causation_id = origin(headers)
    occurred_at = parameters.get("occurred_at")
    return Asked(
        command_id=_command_id(headers.get(b"idempotency-key")),
        expected_version=_version(headers.get(b"if-match")),
        occurred_at=instant(occurred_at, "occurred_at") if occurred_at is not None else None,
        correlation_id=correlation_id,
        causation_id=causation_id,
    )


def instant(text: str, place: str) -> datetime:
    """An RFC 3339 date-time. Raises InvalidRequest naming `place`, or RuleViolation `time.too_early` before 1900."""
    if not _RFC_3339.match(text):
        raise _wrong(place, "give an RFC 3339 date-time with its offset, such as 2026-03-01T09:30:00Z")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise _wrong(place, str(error)) from None
    if moment.year < EARLIEST_YEAR:
        raise RuleViolation("time.too_early", f"{place} lies before {EARLIEST_YEAR}")
    return moment


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false`, false when it is not given. Raises InvalidRequest."""
    match parameters.get(name, "false"):
        case "true":
            return True
        case "false":
            return False
        case _:
            raise _wrong(name, "give true or false")


def _command_id(key: bytes | None) -> str | None:
    if key is None:
        return None
    text = key.decode("latin-1")
    if not _COMMAND_ID.match(text):
        raise _wrong("Idempotency-Key", "give 1 to 200 printable ASCII characters without spaces")
    return text


def _version(tag: bytes | None) -> int | None:
    if tag is None:
        return None
    text = tag.decode("latin-1")
    if not _ENTITY_TAG.match(text):
        raise _wrong("If-Match", 'give the version you saw in double quotes, such as "3"')
    return int(text.strip('"'))


def origin(headers: Mapping[bytes, bytes]) -> tuple[str | None, str | None]:
    """The trace and the span that cause what is asked: our own while tracing is on, else what the caller's W3C traceparent names.

    One that is malformed is ignored, as its standard asks.
    """
    note = NOTE.get()
    if note is not None and note.span_id is not None:
        return note.trace_id, note.span_id
    traceparent = headers.get(b"traceparent")
    found = _TRACE_PARENT.match(traceparent.decode("latin-1")) if traceparent else None
    if found is None:
        return None, None
    if note is not None:
        note.trace_id = found[1]
    return found[1], found[2]


def _wrong(place: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{place}: {message}", [{"loc": [place], "msg": message}])


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises TooLarge beyond `limit` bytes, MalformedBody when the caller went away in the middle."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return _within(message.get("body", b""), limit)
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit or not message.get("more_body"):
            return _within(b"".join(chunks), limit)
        message = await receive()
    raise MalformedBody("body.malformed", "the body ended early")


def decoded(body: bytes) -> Any:
    """The JSON value in `body`; 3.0 is the whole number 3, as JSON Schema has it. Raises MalformedBody."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody("body.malformed", f"this is not JSON: {error}") from None
    return _whole(value) if has_fraction(body) else value


def has_fraction(body: bytes) -> bool:
    """Whether some number in this JSON may be written with a point or an exponent (or a text looks like one)."""
    return _FRACTION.search(body) is not None


def _whole(value: Any) -> Any:
    match value:
        case float():
            return int(value) if value.is_integer() and abs(value) < LARGEST_WHOLE else value
        case dict():
            return {name: _whole(item) for name, item in cast("dict[str, Any]", value).items()}
        case list():
            return [_whole(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLarge("body.too_large", f"the body may have up to {limit:,} bytes")
    return body


async def respond(send: Send, status: int, body: bytes, media_type: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a whole response."""
    standard = ((b"content-type", media_type), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": [*standard, *headers]})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, described: Mapping[str, Any]) -> None:
    """Send a problem document with its status."""
    note_code(described["code"])
    retry = ((b"retry-after", b"1"),) if described["status"] in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE} else ()
    await respond(send, described["status"], encode(described), PROBLEM.encode(), retry)
