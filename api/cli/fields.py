"""Options of the command line made from the published schema of a message: one for each field, spelled as text."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, cast
from uuid import UUID

import orjson
import typer

from api.problems import InvalidRequest


class Kind(StrEnum):
    """How a field's text is read."""

    TEXT = "text"
    REF = "id, or source:id"
    INTEGER = "whole number"
    BOOLEAN = "true or false"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class OptionField:
    """One field: `many` ones may be given repeatedly."""

    name: str
    kind: Kind
    many: bool = False
    required: bool = False
    help: str = ""


def fields_of(schema: Mapping[str, Any]) -> Iterator[OptionField]:
    """The fields of an object's schema."""
    required: Sequence[str] = schema.get("required", ())
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    shared: Mapping[str, Mapping[str, Any]] = schema.get("$defs", {})
    for name, named in properties.items():
        described = _resolved(named, shared)
        kind, many = _kind(described)
        notes = [described.get("description", ""), f"({kind})" if kind is not Kind.TEXT else "", _choices(described)]
        notes.append("[required]" if name in required else "")
        yield OptionField(name, kind, many=many, required=name in required, help=" ".join(note for note in notes if note))


def _resolved(described: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """A schema with the choices that it refers to put in; objects stay referred to."""
    if "anyOf" in described:
        return {**described, "anyOf": [_resolved(option, shared) for option in described["anyOf"]]}
    if "items" in described:
        return {**described, "items": _resolved(described["items"], shared)}
    found = shared.get(str(described.get("$ref", "")).rpartition("/")[2], {})
    return {**found, **described} if "enum" in found else described


def _alternatives(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    options = cast("list[Mapping[str, Any]]", described.get("anyOf", [described]))
    return [option for option in options if option.get("type") != "null"]


def _choices(described: Mapping[str, Any]) -> str:
    found = [choice for option in _alternatives(described) for choice in option.get("enum", ())]
    return "one of " + ", ".join(map(str, found)) if found else ""


def _kind(described: Mapping[str, Any]) -> tuple[Kind, bool]:
    options = _alternatives(described)
    if any(option.get("$ref", "").endswith("/ExternalRef") for option in options):
        return Kind.REF, False
    kinds = {option.get("type") for option in options}
    if kinds == {"array"}:
        inner, nested = _kind(options[0].get("items", {}))
        return (Kind.JSON, False) if nested or inner is Kind.JSON else (inner, True)
    if "string" in kinds or any("enum" in option for option in options):
        return Kind.TEXT, False
    return {"integer": Kind.INTEGER, "boolean": Kind.BOOLEAN}.get(str(next(iter(kinds), None)), Kind.JSON), False


def value_of(field: OptionField, text: str) -> Any:
    """What a text means for a field, as JSON has it. Raises InvalidRequest."""
    try:
        match field.kind:
            case Kind.TEXT:
                return text
            case Kind.REF:
                return _ref(text)
            case Kind.INTEGER:
                return int(text)
            case Kind.BOOLEAN:
                return {"true": True, "false": False}[text.lower()]
            case Kind.JSON:
                return orjson.loads(text)
    except (ValueError, KeyError):
        raise InvalidRequest(f"--{option_name(field.name)} {text}: give {field.kind}") from None


def _ref(text: str) -> Any:
    if text.startswith("{"):
        return orjson.loads(text)
    source, colon, external = text.partition(":")
    return {"source": source, "id": external} if colon else str(UUID(text))


def option_name(field: str) -> str:
    """How a field is called on the command line."""
    return field.replace("_", "-")


def body_of(fields: Sequence[OptionField], given: Mapping[str, Any]) -> dict[str, Any]:
    """The message that the given options say; what was not given is left out. Raises InvalidRequest."""
    body: dict[str, Any] = {}
    for field in fields:
        value = given.get(field.name)
        if value is None or value == []:
            continue
        body[field.name] = [value_of(field, each) for each in value] if field.many else value_of(field, value)
    return body


def with_options(run: Callable[..., None], fields: Sequence[OptionField], *, positional: Sequence[str] = ()) -> Callable[..., None]:
    """`run`, which takes **options, with a signature that Typer can read: its own parameters and one for each field."""
    own = [parameter for parameter in inspect.signature(run).parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    places = [_positional(field) for field in fields if field.name in positional]
    options = [_option(field) for field in fields if field.name not in positional]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *places, *options)]

    def told(**given: Any) -> None:
        run(**given)

    told.__doc__ = run.__doc__
    told.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    told.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return told


def _positional(field: OptionField) -> inspect.Parameter:
    annotation = Annotated[str, typer.Argument(help=field.help, metavar=field.name.upper())]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)


def _option(field: OptionField) -> inspect.Parameter:
    option = typer.Option("--" + option_name(field.name), help=field.help, show_default=False)
    annotation = Annotated[list[str] | None, option] if field.many else Annotated[str | None, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
