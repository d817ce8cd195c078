"""Reading a mapping file, with every fault named by its table and key and with what to do."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.imports.errors import InvalidMapping
from api.imports.expressions import Template
from api.imports.mapping import CASE_FACTS, ROW_FACTS, Cases, CommandTemplate, Plan, Rows
from api.imports.text import choices, suggestion
from commands.catalogue import COMMANDS

LARGEST_MAPPING = 1024 * 1024


def shipped() -> dict[str, Path]:
    """The mappings that come with Daybook, by name."""
    folder = Path(str(resources("api.imports"))) / "mappings"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_mapping(mapping: str | Path) -> Plan:
    """The mapping in that file, or the shipped one of that name. Raises InvalidMapping with all its faults."""
    path = Path(mapping)
    if not path.is_file():
        if str(mapping) not in shipped():
            raise InvalidMapping(str(mapping), [f"there is no such file, and no shipped mapping of that name ({choices(shipped())})"])
        path = shipped()[str(mapping)]
    if path.stat().st_size > LARGEST_MAPPING:
        raise InvalidMapping(path.name, [f"a mapping has at most {LARGEST_MAPPING:,} bytes"])
    try:
        return parse_mapping(path.read_bytes().decode("utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise InvalidMapping(path.name, ["it is not UTF-8 text"]) from None


def parse_mapping(text: str, name: str) -> Plan:
    """The mapping in a TOML text; `name` is what messages call it. Raises InvalidMapping with all its faults."""
    try:
        plan = Plan.model_validate(tomllib.loads(text.replace("\r\n", "\n"), parse_float=str))
    except tomllib.TOMLDecodeError as error:
        raise InvalidMapping(name, [f"it is not TOML: {error}"]) from None
    except ValidationError as error:
        raise InvalidMapping(name, [_fault(each["loc"], each["type"], each["msg"]) for each in error.errors(include_url=False)]) from None
    faults = list(_faults(plan))
    if faults:
        raise InvalidMapping(name, faults)
    return plan


def _fault(loc: Iterable[int | str], kind: str, message: str) -> str:
    where = ""
    for step in loc:
        where += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if where else step
    match kind:
        case "extra_forbidden":
            return f"{where}: there is no such key here; look for a misspelling"
        case "missing":
            return f"{where}: this key is missing; add it"
        case _:
            return f"{where}: {message.removeprefix('Value error, ')}"


def _faults(plan: Plan) -> Iterator[str]:
    """What is wrong between the parts of a mapping."""
    if not plan.setup and not plan.rows and not plan.cases:
        yield "it makes nothing: add [[rows]] or [[cases]]"
    for name, lookup in plan.lookups.items():
        yield from _unknown(f"lookups.{name}.file", lookup.file, plan.files)
        yield from _terms(f"lookups.{name}.key", plan, [lookup.key], ROW_FACTS)
    yield from _commands("setup", plan, plan.setup, frozenset(), dated=False)
    if plan.occurred_at is not None:
        yield from _terms("occurred_at", plan, [plan.occurred_at], frozenset())
    labels = [part.label for part in (*plan.rows, *plan.cases)]
    for kind, parts in (("rows", plan.rows), ("cases", plan.cases)):
        for number, part in enumerate(parts, 1):
            where = f"{kind}[{number}]"
            if labels.count(part.label) > 1:
                yield f"{where}.name: another part is called “{part.label}” too; give each a `name` of its own"
            yield from _unknown(f"{where}.file", part.file, plan.files)
            for name, find in part.lookups.items():
                yield from _unknown(f"{where}.lookups.{name}", find.lookup or name, plan.lookups)
            yield from _rows(where, plan, part) if isinstance(part, Rows) else _cases(where, plan, part)


def _rows(where: str, plan: Plan, rows: Rows) -> Iterator[str]:
    used = [rows.id, *(find.key for find in rows.lookups.values()), *(t for each in rows.when for t in each.templates)]
    used += [rows.occurred_at] if rows.occurred_at else []
    if "time" in (plan.order, rows.order) and rows.occurred_at is None:
        yield f'{where}.occurred_at: `order = "time"` needs to know when each row happened'
    yield from _terms(where, plan, used, ROW_FACTS)
    yield from _commands(f"{where}.commands", plan, rows.commands, ROW_FACTS, dated=rows.occurred_at is not None)


def _cases(where: str, plan: Plan, cases: Cases) -> Iterator[str]:
    if cases.file not in plan.files:
        return
    xes = plan.files[cases.file].is_xes
    for role in ("case",) if cases.wide else ("case", "activity", "time"):
        if cases.column(role, xes=xes) is None:
            yield f'{where}.{role}: say which column has it, such as {role} = "{{{role.title()}}}"'
    said = (cases.case, cases.activity, cases.time, cases.resource, cases.lifecycle, *(moment.time for moment in cases.wide))
    keys = [find.key for find in cases.lookups.values()]
    yield from _terms(where, plan, [*(t for t in said if t), *(t for each in cases.when for t in each.templates)], ROW_FACTS)
    yield from _terms(where, plan, [*keys, *([cases.id] if cases.id else [])], CASE_FACTS)
    yield from _commands(f"{where}.opening", plan, cases.opening, CASE_FACTS, dated=True)
    for number, activity in enumerate(cases.activities, 1):
        yield from _terms(f"{where}.activities[{number}]", plan, [t for each in activity.when for t in each.templates], CASE_FACTS)
        yield from _commands(f"{where}.activities[{number}].commands", plan, activity.commands, CASE_FACTS, dated=True)
    yield from _commands(f"{where}.otherwise", plan, cases.otherwise or (), CASE_FACTS, dated=True)
    yield from _commands(f"{where}.ending", plan, cases.ending, CASE_FACTS, dated=True)


def _commands(where: str, plan: Plan, templates: Iterable[CommandTemplate], facts: frozenset[str], *, dated: bool) -> Iterator[str]:
    seen: set[str] = set()
    for number, template in enumerate(templates, 1):
        here = f"{where}[{number}]"
        if template.label in seen:
            yield f"{here}.step: another command here is called “{template.label}” too; give it a `step` of its own"
        seen.add(template.label)
        if not dated and template.occurred_at is None and plan.occurred_at is None:
            yield f"{here}.occurred_at: say when it happened, here or for the whole mapping; an import must give the same events whenever it runs"
        yield from _terms(here, plan, template.templates, facts)
        yield from _shape(here, template)


def _shape(where: str, template: CommandTemplate) -> Iterator[str]:
    registered = COMMANDS.get(template.command)
    if registered is None:
        yield f"{where}.command: there is no command “{template.command}”; {suggestion(template.command, COMMANDS)}"
        return
    fields = registered.model.model_fields
    if not isinstance(template.data, dict):
        yield f"{where}.data: write a table of fields"
        return
    given: dict[str, Any] = template.data  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    for key in given:
        if key not in fields:
            yield f"{where}.data.{key}: {template.command} has no such field; {suggestion(key, fields)}"
    for name, field in fields.items():
        if field.is_required() and name not in given:
            yield f"{where}.data.{name}: {template.command} needs this field"


def _unknown(where: str, name: str, known: Iterable[str]) -> Iterator[str]:
    if name not in known:
        yield f"{where}: “{name}” is not defined; {suggestion(name, known)}"


def _terms(where: str, plan: Plan, templates: Iterable[Template], facts: frozenset[str]) -> Iterator[str]:
    for template in templates:
        for table in template.tables:
            if table not in plan.values:
                yield f"{where}: {template.source}: there is no value table [values.{table}]; {suggestion(table, plan.values)}"
        for operand in template.operands:
            if operand.kind == "constant" and operand.name not in plan.constants:
                yield f"{where}: {template.source}: there is no constant “{operand.name}”; {suggestion(operand.name, plan.constants)}"
            if operand.kind == "column" and not facts:
                yield f"{where}: {template.source}: setup commands have no row to take a column from; use $constants"
            if operand.kind == "own" and operand.name not in facts:
                yield f"{where}: {template.source}: there is no @{operand.name} here; {suggestion(operand.name, facts)}"
