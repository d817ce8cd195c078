"""How a refusal looks over HTTP: an RFC 9457 problem with a stable code, and the one table that says which status each error has."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from api.imports.errors import ImportRefused, RowRefused
from api.observing.note import note_code
from api.settings import InvalidSettings
from api.webhooks.errors import AddressRefused
from bus.copying import ToolFailed
from bus.errors import (
    ConcurrencyConflict,
    ForeignLog,
    KafkaRefused,
    KafkaUnavailable,
    LogFull,
    LogUnavailable,
    PublisherRunning,
    TopicBroken,
    UnknownEventType,
)
from bus.vault import WrongMasterKey
from commands.errors import CommandFailed, CommandIdReused, InvalidCommand, NotApplied, UnknownCommand, VersionMismatch
from domain.errors import CorruptHistory, DaybookError, NotFound, RuleViolation
from projections.build import BuildFailed
from readmodels.facts import FactsInUse, QueryRefused
from replay.audit.errors import KeyUnusable, NoteMalformed
from replay.backup.errors import BackupDamaged, BackupRefused
from replay.explain.cells import KeyMisspelled
from replay.whatif.errors import TrialRefused, TrialTooMuch

PROBLEM: Final = "application/problem+json"
TYPE: Final = "urn:daybook:problem:"


class RequestRefused(DaybookError):
    """The request itself, before any command or query in it, cannot be taken."""


class MalformedBody(RequestRefused):
    """The body is not what its content type says."""


class InvalidRequest(RequestRefused):
    """A header, a query parameter or an item has the wrong shape; `details` say where."""

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__("request.invalid", message)
        self.details = details


class UnsupportedContent(RequestRefused):
    """The body's content type is not one that this route reads."""


class TooLarge(RequestRefused):
    """The body is larger, or holds more commands, than one request may."""


class NotYet(DaybookError):
    """The position that the caller wants to see has not been written."""


class Unavailable(DaybookError):
    """Daybook cannot answer now; the same request may succeed later."""


STATUS: Final[Mapping[type[DaybookError], HTTPStatus]] = {
    RequestRefused: HTTPStatus.BAD_REQUEST,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    QueryRefused: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    UnknownCommand: HTTPStatus.NOT_FOUND,
    NoteMalformed: HTTPStatus.BAD_REQUEST,
    TrialTooMuch: HTTPStatus.BAD_REQUEST,
    RuleViolation: HTTPStatus.CONFLICT,
    CommandIdReused: HTTPStatus.CONFLICT,
    NotApplied: HTTPStatus.CONFLICT,
    NotYet: HTTPStatus.CONFLICT,
    BackupRefused: HTTPStatus.CONFLICT,
    TrialRefused: HTTPStatus.CONFLICT,
    VersionMismatch: HTTPStatus.PRECONDITION_FAILED,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedContent: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidCommand: HTTPStatus.UNPROCESSABLE_ENTITY,
    ImportRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    RowRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    KeyMisspelled: HTTPStatus.UNPROCESSABLE_ENTITY,
    AddressRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    FactsInUse: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    LogUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    LogFull: HTTPStatus.INSUFFICIENT_STORAGE,
    KafkaUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    PublisherRunning: HTTPStatus.CONFLICT,
    ConcurrencyConflict: HTTPStatus.SERVICE_UNAVAILABLE,
    CommandFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    BuildFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    KafkaRefused: HTTPStatus.INTERNAL_SERVER_ERROR,
    TopicBroken: HTTPStatus.INTERNAL_SERVER_ERROR,
    ForeignLog: HTTPStatus.INTERNAL_SERVER_ERROR,
    UnknownEventType: HTTPStatus.INTERNAL_SERVER_ERROR,
    KeyUnusable: HTTPStatus.INTERNAL_SERVER_ERROR,
    ToolFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    BackupDamaged: HTTPStatus.INTERNAL_SERVER_ERROR,
    WrongMasterKey: HTTPStatus.INTERNAL_SERVER_ERROR,
    CorruptHistory: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidSettings: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of every error class; a subclass that is not named has its parent's. Nothing below `api` knows HTTP."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PHRASES: Final = {status: status.phrase for status in HTTPStatus}


def status_of(error: DaybookError) -> HTTPStatus:
    """The HTTP status of an error, by the nearest class that `STATUS` names; 500 where it names none."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The members of a problem document; members of `more` that are None are left out."""
    body = {"type": TYPE + code, "title": PHRASES[HTTPStatus(status)], "status": int(status), "detail": detail, "code": code}
    return body | {name: value for name, value in more.items() if value is not None}


def describe(error: DaybookError, command_id: str | None = None) -> dict[str, Any]:
    """An error as a problem document, with the places that are wrong where it knows them."""
    details: Sequence[Mapping[str, Any]] = getattr(error, "details", ())
    return problem(status_of(error), error.code, error.message, places=list(places(details)) or None, command_id=command_id)


def places(details: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Where a message is wrong: `pointer` is an RFC 6901 JSON pointer, `message` says what is wrong there."""
    for detail in details:
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in detail.get("loc", ()))
        yield {"pointer": "".join(f"/{step}" for step in steps), "message": str(detail.get("msg", ""))}


def answer(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem document as a response with its own status."""
    note_code(body["code"])
    return Response(encode(body), body["status"], headers=dict(headers or {}), media_type=PROBLEM)


def encode(body: Any) -> bytes:
    """Compact JSON; text that is no valid Unicode (a lone surrogate that a caller sent) is replaced."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(_valid(body))


def _valid(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case Mapping():
            return {_valid(key): _valid(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_valid(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def install(app: FastAPI) -> None:
    """Make every refusal of `app` a problem document."""
    app.add_exception_handler(DaybookError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_fault)


async def _on_error(_: Request, raised: Exception) -> Response:
    error = cast("DaybookError", raised)
    headers = {"Retry-After": "1"} if isinstance(error, Unavailable) else None
    return answer(describe(error), headers)


async def _on_validation(_: Request, raised: Exception) -> Response:
    error = cast("RequestValidationError", raised)
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        return answer(problem(HTTPStatus.BAD_REQUEST, "body.malformed", "the body is not JSON"))
    return answer(describe(InvalidRequest("the request has the wrong shape", details)))


async def _on_http(request: Request, raised: Exception) -> Response:
    error = cast("HTTPException", raised)
    status = HTTPStatus(error.status_code)
    code = "http." + status.name.lower()
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        code = "body.too_large"
    headers = error.headers
    if status == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods(request)):
        headers = {"Allow": ", ".join(methods)}
    return answer(problem(status, code, str(error.detail)), headers)


def _methods(request: Request) -> list[str]:
    """The methods that the request's path has, of all its routes: each of them knows of its own only."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    return [method for method in METHODS if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)]


async def _on_fault(request: Request, error: Exception) -> Response:
    return answer(fault(request.method, request.url.path, error))


def fault(method: str, path: str, error: Exception) -> dict[str, Any]:
    """The problem document for what should not have happened."""
    detail = f"Daybook failed at {method} {path} ({type(error).__name__}); its log says more"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "daybook.fault", detail)
