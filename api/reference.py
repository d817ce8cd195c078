"""Writes what is made from the code, on commands, read models, settings and messages: `python -m api.reference`."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from api import asyncapi
from api.observing.page import metrics_page
from api.openapi import schema_of
from api.settings import PREFIX, Settings
from api.version import VERSION
from commands.catalogue import COMMANDS, PAGES
from commands.registry import RegisteredCommand
from projections.catalogue import FOLDS
from projections.fold import Fold
from projections.rules import Order

DOCS: Final = Path(__file__).parent.parent / "docs"

SETTINGS_HEAD: Final = """# Settings

How one Daybook is set up: `DAYBOOK_…` environment variables, or lines of a `.env` file in the working folder. An unknown name, or a
value that cannot be, is refused at the start. Secrets are never printed. This page is written from the code by `python -m api.reference`.

| variable | says | unless given |
|---|---|---|
"""

HEAD: Final = """# Commands

Everything that can be asked of Daybook. This page is written from the registry by `python -m api.reference`; a test holds it current.

Each command is sent in any of these ways, and does the same:

- `POST /v1/commands/NAME` with the fields as a JSON body ([HTTP](http.md));
- `POST /v1/commands` among others, as `{"command": "NAME", "data": {…}}` in a JSON list or on a line of NDJSON;
- `daybook command NAME --field value …` on the [command line](command-line.md);
- `daybook ingest FILE.ndjson`, straight into the log.

A **reference** to a record is its id (a UUID) or another system's name for it, `{"source": "…", "id": "…"}`; the same name may be
given when the record is made and wherever it is meant later. The first field of every command names the record that it is about;
where it may be left out, the command makes a new record. **Exact numbers** are written as text, `"12.50"`, or as whole numbers.
**Moments** are RFC 3339 with an offset, days `YYYY-MM-DD`. A field that may be left out is marked *optional*.
"""


READ_MODELS_HEAD: Final = """# Read models

Every table that is folded from the events, with its columns: what they hold, by which rule what events say is combined, and which events
say something. This page is written from the folds by `python -m api.reference`; a test holds it current.

*Lookups* (SQLite or PostgreSQL) answer questions about one record; *facts* (DuckDB) are what `daybook sql` and `POST /v1/sql` ask, and
hold no personal columns. The rules: `latest` and `first` keep the value of the event that was recorded last or first (or happened so,
where it says `by occurred_at`), `newest` and `earliest` the greatest or least value, `total` the exact sum (a count where events are counted),
`distinct` the set of values. Which events make one cell, and what each says, is told by `daybook explain` ([explain](explain.md)).
"""
MOST_EVENTS: Final = 8
"""Events that are named; of more, only the number is told."""


def settings_page() -> str:
    """The page of all settings."""
    return SETTINGS_HEAD + "".join(
        f"| `{PREFIX}{name.upper()}` | {_cell(field.description or '')} | {'' if field.default is None else f'`{field.default}`'} |\n"
        for name, field in Settings.model_fields.items()
    )


def commands_page() -> str:
    """The page of all commands."""
    parts = [HEAD]
    order = {module.__name__: place for place, module in enumerate(PAGES)}
    commands = sorted(COMMANDS.values(), key=lambda command: order[command.handler.__module__])
    kinds = list(dict.fromkeys(command.target[1] for command in commands))
    commands.sort(key=lambda command: kinds.index(command.target[1]))
    for kind, those in groupby(commands, key=lambda command: command.target[1]):
        parts.append(f"\n## {kind.capitalize()}\n")
        parts.extend(_section(command) for command in those)
    return "".join(parts)


def read_models_page() -> str:
    """The page of all read models."""
    return READ_MODELS_HEAD + "".join(_read_model(fold) for fold in sorted(FOLDS, key=lambda fold: fold.name))


def _read_model(fold: Fold) -> str:
    homes = " and ".join(sorted(fold.homes, reverse=True))
    key = "".join(f"| `{name}` | {kind} | key | |\n" for name, kind in zip(fold.key, fold.key_kinds, strict=True))
    columns = "".join(_column(fold, name) for name in fold.columns)
    return f"\n## `{fold.name}`\n\nIn the {homes}.\n\n| column | holds | rule | from |\n|---|---|---|---|\n{key}{columns}"


def _column(fold: Fold, name: str) -> str:
    column = fold.columns[name]
    events = dict.fromkeys(source.event.type for source in column.sources)
    told = ", ".join(f"`{event}`" for event in events) if len(events) <= MOST_EVENTS else f"{len(events)} events"
    kind = f"{fold.kind(name)}{', personal' if fold.personal(name) else ''}"
    rule = f"{column.rule}{'' if column.order is Order.POSITION else ' by ' + column.order}"
    return f"| `{name}` | {kind} | {rule} | {told} |\n"


def _section(command: RegisteredCommand) -> str:
    schema = schema_of(command)
    lines = [f"\n### `{command.name}`\n", f"\n{command.summary}\n", "\n| field | is | |\n|---|---|---|\n", *_rows(schema, schema)]
    return "".join(lines)


def _rows(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, described in schema.get("properties", {}).items():
        notes = ["" if name in required else f"*optional*{_default(described)}.", described.get("description", "")]
        yield f"| `{name}` | {_spelled(described, whole)} | {_cell(' '.join(note for note in notes if note))} |\n"


def _default(described: Mapping[str, Any]) -> str:
    default = described.get("default")
    return "" if default in (None, [], ()) else f", `{default}` unless given".replace("True", "true").replace("False", "false")


def _spelled(described: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    options = [option for option in described.get("anyOf", [described]) if option.get("type") != "null"]
    if any(option.get("$ref", "").endswith("/ExternalRef") for option in options):
        return "reference"
    if [option.get("type") for option in options] == ["string", "integer"]:
        return "exact number"
    return _cell(" or ".join(_one(option, whole) for option in options))


def _one(option: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if "$ref" in option:
        inner = whole["$defs"][option["$ref"].rpartition("/")[2]]
        if "enum" in inner:
            return _one(inner, whole)
        members = ", ".join(f"`{name}`{'' if name in inner.get('required', ()) else '?'}" for name in inner["properties"])
        return f"object of {members}"
    if "enum" in option:
        return ", ".join(f"`{choice}`" for choice in option["enum"])
    if "const" in option:
        return f"`{option['const']}`"
    match option.get("type"), option.get("format"):
        case "array", _:
            return "list of " + _spelled(option.get("items", {}), whole)
        case "string", "date-time":
            return "moment"
        case "string", "date":
            return "day"
        case "string", "uuid":
            return "UUID"
        case "string", "email":
            return "e-mail address"
        case "string", _:
            return "text" + (f" (up to {option['maxLength']:,})" if "maxLength" in option else "")
        case "integer", _:
            return "whole number" + _range(option)
        case "boolean", _:
            return "true or false"
        case other, _:
            return str(other or "any JSON")


def _range(option: Mapping[str, Any]) -> str:
    low, high = option.get("minimum"), option.get("maximum")
    return f" from {low} to {high}" if low is not None and high is not None else f" from {low}" if low is not None else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def asyncapi_file() -> str:
    """The AsyncAPI document, as a file."""
    return json.dumps(asyncapi.document(VERSION), indent=1, ensure_ascii=False) + "\n"


PAGES_WRITTEN: Final = {
    "asyncapi.json": asyncapi_file,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    "readmodels.md": read_models_page,
    "settings.md": settings_page,
}

if __name__ == "__main__":
    for name, page in PAGES_WRITTEN.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
