"""The OpenAPI 3.1 document: what FastAPI knows of its routes, and one exact operation for every registered command."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.asking import COMMAND_ID, ENTITY_TAG, JSON, NDJSON
from api.lines import SCHEMA as LINE
from api.problems import PROBLEM
from api.published import Published
from commands.catalogue import COMMANDS
from commands.registry import RegisteredCommand

REF: Final = "#/components/schemas/"

RECEIPT: Final[Mapping[str, Any]] = {
    "type": "object",
    "title": "Receipt",
    "description": "An accepted command, durable when you read this.",
    "required": ["command_id", "stream_id", "version", "position", "event_ids", "repeated"],
    "additionalProperties": False,
    "properties": {
        "command_id": {"type": "string"},
        "stream_id": {"type": "string", "format": "uuid", "description": "The record that the command was about."},
        "version": {"type": "integer", "minimum": 0, "description": "That record's version now, for If-Match."},
        "position": {"type": "integer", "minimum": 0, "description": "Of the last event; give it as `at_least` to read your own write."},
        "event_ids": {"type": "array", "items": {"type": "string", "format": "uuid"}, "description": "Empty when nothing had to change."},
        "repeated": {"type": "boolean", "description": "Whether this command id had been accepted before, so that nothing was done again."},
    },
}

PLACE: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["pointer", "message"],
    "properties": {"pointer": {"type": "string", "description": "RFC 6901 JSON pointer"}, "message": {"type": "string"}},
}

PROBLEM_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request was not taken (RFC 9457); `code` is stable, match on that.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "command_id": {"type": "string"},
        "places": {"type": "array", "items": PLACE, "description": "Where the request is wrong."},
        "refusals": {
            "type": "array",
            "description": "Every refused command of an atomic bulk, up to a hundred.",
            "items": {
                "type": "object",
                "required": ["index", "problem"],
                "properties": {"index": {"type": "integer"}, "problem": {"$ref": REF + "Problem"}},
            },
        },
    },
}

RESULT: Final[Mapping[str, Any]] = {
    "type": "object",
    "title": "Result",
    "description": "What became of one command: a receipt with status 200, or a problem with its own status.",
    "required": ["status"],
    "additionalProperties": False,
    "properties": {"status": {"type": "integer"}, "receipt": {"$ref": REF + "Receipt"}, "problem": {"$ref": REF + "Problem"}},
}

RESULTS: Final[Mapping[str, Any]] = {
    "type": "object",
    "title": "Results",
    "required": ["accepted", "refused", "results"],
    "additionalProperties": False,
    "properties": {
        "accepted": {"type": "integer", "minimum": 0},
        "refused": {"type": "integer", "minimum": 0},
        "results": {"type": "array", "items": {"$ref": REF + "Result"}, "description": "One for each command, in order."},
    },
}

MEANINGS: Final[Mapping[int, str]] = {
    400: "The body is not what its content type says.",
    404: "A record, or a command, that was named does not exist.",
    409: "A rule forbids it, or it stands against what is recorded.",
    412: "The record is not at the version given in If-Match.",
    413: "The request is larger than one may be.",
    415: "The body's content type is not one that this route reads.",
    422: "Something has the wrong shape; `places` say where.",
    503: "Daybook cannot answer now; the same request may succeed later.",
    507: "The disk is full, and nothing was recorded; the same request may succeed when there is room.",
}

TRACE_PARENT: Final[Mapping[str, Any]] = {
    "name": "traceparent",
    "in": "header",
    "description": "W3C trace context, kept with the events.",
    "schema": {"type": "string"},
}

COMMAND_HEADERS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The command's id, yours to choose: repeating it returns the first receipt, for ever, and does nothing again.",
        "schema": {"type": "string", "pattern": COMMAND_ID},
    },
    {
        "name": "If-Match",
        "in": "header",
        "description": "The version of the record that you saw, in double quotes; 0 for one that must not exist yet.",
        "schema": {"type": "string", "pattern": ENTITY_TAG},
    },
    TRACE_PARENT,
)

OCCURRED_AT: Final[Mapping[str, Any]] = {
    "name": "occurred_at",
    "in": "query",
    "description": "When it happened (RFC 3339, with offset); now, unless you say. Not in the future, not before 1900.",
    "schema": {"type": "string", "format": "date-time"},
}

ATOMIC: Final[Mapping[str, Any]] = {
    "name": "atomic",
    "in": "query",
    "description": "All commands or none; otherwise each for itself.",
    "schema": {"type": "boolean", "default": False},
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that an operation may answer with, as FastAPI's `responses`."""
    content = {PROBLEM: {"schema": {"$ref": REF + "Problem"}}}
    return {status: {"description": MEANINGS.get(status, HTTPStatus(status).phrase), "content": content} for status in statuses}


def _responses(described: Mapping[int | str, Any]) -> dict[str, Any]:
    return {str(status): response for status, response in described.items()}


def _json(schema: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": {"$ref": REF + schema}}}}


def _links(command: RegisteredCommand) -> dict[str, Any]:
    """What can be asked next of a record that this command made: where the receipt's `stream_id` goes."""
    field, kind = command.target
    if command.model.model_fields[field].is_required():
        return {}
    return {
        f"{following.name}_{name}": {"operationId": following.name, "requestBody": {name: "$response.body#/stream_id"}}
        for following in COMMANDS.values()
        for name, named in following.refs
        if named == kind and following is not command and not _is_list(following, name)
    }


def _is_list(command: RegisteredCommand, field: str) -> bool:
    annotation = str(command.model.model_fields[field].annotation)
    return "list[" in annotation or "tuple[" in annotation


def _command_operation(command: RegisteredCommand, body: Mapping[str, Any]) -> dict[str, Any]:
    accepted = _json("Receipt", "Accepted and durable.")
    accepted["headers"] = {
        "ETag": {"description": "The record's version, for If-Match.", "schema": {"type": "string", "pattern": ENTITY_TAG}}
    }
    accepted["links"] = _links(command)
    return {
        "tags": [f"commands: {command.target[1]}"],
        "operationId": command.name,
        "summary": command.summary,
        "parameters": [*COMMAND_HEADERS, OCCURRED_AT],
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {"200": accepted, **_responses(refusals(400, 404, 409, 412, 413, 415, 422, 503, 507))},
    }


def _bulk_operation() -> dict[str, Any]:
    done = _json("Results", "What became of each command, in order; NDJSON has one Result a line.")
    done["content"][NDJSON] = {"schema": {"type": "string"}}
    return {
        "tags": ["commands"],
        "operationId": "bulk_commands",
        "summary": "Send many commands at once, as a JSON list or as NDJSON.",
        "parameters": [TRACE_PARENT, ATOMIC],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"type": "array", "items": {"$ref": REF + "CommandLine"}}},
                NDJSON: {
                    "schema": {"description": "One CommandLine on each line; what became of each line is told on a line of the answer."}
                },
            },
        },
        "responses": {"200": done, **_responses(refusals(400, 409, 413, 415, 422, 503, 507))},
    }


def command_schemas() -> tuple[Mapping[str, Mapping[str, Any]], dict[str, Any]]:
    """Each command's body schema by its name, and the schemas that they refer to."""
    models = [(command.model, "validation") for command in COMMANDS.values()]
    references, shared = models_json_schema(models, ref_template=REF + "{model}", schema_generator=Published)  # pyright: ignore[reportArgumentType]
    return {command.name: references[command.model, "validation"] for command in COMMANDS.values()}, shared.get("$defs", {})


def schema_of(command: RegisteredCommand) -> dict[str, Any]:
    """The published schema of one command's message, by itself."""
    return command.model.model_json_schema(schema_generator=Published)


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    described = get_openapi(title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes)
    bodies, shared = command_schemas()
    paths: dict[str, Any] = {"/v1/commands": {"post": _bulk_operation()}}
    paths |= {f"/v1/commands/{name}": {"post": _command_operation(command, bodies[name])} for name, command in COMMANDS.items()}
    ours = {"Receipt": RECEIPT, "Problem": PROBLEM_SCHEMA, "Result": RESULT, "Results": RESULTS, "CommandLine": LINE}
    schemas: dict[str, Any] = described.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(shared, **ours)
    described["paths"] = paths | described.get("paths", {})
    return described
