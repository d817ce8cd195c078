"""The data of a command as a mapping writes it: a tree of templates that a row fills in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from api.imports.expressions import Scope, Template, parse_template
from api.imports.times import written

REF = "ref"
"""A table with this key is a record by its external id: `{ ref = "{account}" }`, of the mapping's source unless `source` says another."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A record by the id that the imported system has for it."""

    id: Template
    source: Template | None


Node = Template | Reference | Mapping[str, "Node"] | Sequence["Node"] | bool | int | str


def parse_data(value: Any) -> Node:
    """Take the data of a command apart. Raises ValueError with the key in its message."""
    match value:
        case dict() if REF in value:
            return _reference(value)  # pyright: ignore[reportUnknownArgumentType]
        case dict():
            return {key: _at(key, item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list():
            return [_at(f"[{place}]", item) for place, item in enumerate(value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case str():
            return parse_template(value)
        case bool() | int():
            return value
        case datetime() if value.tzinfo is not None:
            return written(value)
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            raise ValueError(f"{value!r} is no value for a command")


def _at(key: str, item: Any) -> Node:
    try:
        return parse_data(item)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _reference(value: Mapping[str, Any]) -> Reference:
    strange = value.keys() - {REF, "source"}
    if strange:
        raise ValueError(f"beside `ref` there may be `source`, but not {', '.join(sorted(strange))}")
    if not all(isinstance(each, str) for each in value.values()):
        raise ValueError("`ref` and `source` are texts")
    return Reference(parse_template(value[REF]), parse_template(value["source"]) if "source" in value else None)


def templates(node: Node) -> Iterator[Template]:
    """Every template in a tree."""
    match node:
        case Template():
            yield node
        case Reference():
            yield node.id
            if node.source is not None:
                yield node.source
        case Mapping():
            for item in node.values():
                yield from templates(item)
        case bool() | int() | str():
            return
        case _:
            for item in node:
                yield from templates(item)


def fill(node: Node, scope: Scope, source: str) -> Any:
    """The tree with a row's values as JSON has them; what is empty is left out, and so is a table or list with nothing in it.

    Raises RowRefused.
    """
    match node:
        case Template():
            return node.value(scope)
        case Reference():
            external_id = node.id.key(scope)
            return None if external_id is None else {"source": node.source.key(scope) if node.source else source, "id": external_id}
        case Mapping():
            return {key: value for key, item in node.items() if (value := fill(item, scope, source)) is not None} or None
        case bool() | int() | str():
            return node
        case _:
            return [value for item in node if (value := fill(item, scope, source)) is not None] or None
