"""The SQL evaluator: a fold compiled to DuckDB, for bulk.

`contributions` turns each event into a row that says what that event alone says; `combined` combines rows by their keys.
A batch's rows are `combined(contributions)`, and rows of several batches are combined by the same statement.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from domain.event import Event
from projections.plan import Lane, Part, Plan, Route
from projections.rules import MARKED, Order, Rule
from projections.shapes import ENVELOPE, shape
from projections.values import Condition, Const, Envelope, Field, Value, kind_of
from readmodels.facts import NATIVE
from readmodels.layout import Kind, Layout

CANONICAL_TIME: Final = "'%Y-%m-%dT%H:%M:%S.%fZ'"


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str | int) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def relation_of(event_type: str) -> str:
    """The name of the relation that holds the typed events of one type."""
    return quoted("event " + event_type)


def typed(event: type[Event], used: Iterable[Value], source: str) -> str:
    """SELECT the `used` values of the events in `source` (position, stream_id, version, state) as native columns.

    A value that is not what the event's class says is an error, not a NULL.
    """
    values = set(used)
    fields = sorted(value.name for value in values if isinstance(value, Field))
    outer = sorted(
        value.name for value in values if isinstance(value, Envelope) and value.name not in ("position", "stream_id", "version", "type")
    )
    shapes = [f'"{name}":{_json_type(ENVELOPE[name])}' for name in outer]
    if fields:
        shapes.append('"data":{' + ",".join(f'"{name}":{_json_type(shape(event)[name].kind)}' for name in fields) + "}")
    columns = ["position", "stream_id::UUID AS e_stream_id", "version::BIGINT AS e_version"]
    columns += [f"j.{quoted(name)} AS {quoted('e_' + name)}" for name in outer]
    columns += [f"j.data.{quoted(name)} AS {quoted('d_' + name)}" for name in fields]
    parsed = [f"json_transform_strict(state, '{{{','.join(shapes)}}}') AS j"] if shapes else []
    inner = ", ".join(["position", "stream_id", "version", *parsed])
    return f"SELECT {', '.join(columns)} FROM (SELECT {inner} FROM {source})"


def _json_type(kind: Kind) -> str:
    return '["VARCHAR"]' if kind is Kind.TEXTS else f'"{NATIVE[kind]}"'


def used_values(plans: Iterable[tuple[Plan, Sequence[Lane]]]) -> dict[type[Event], set[Value]]:
    """Per event, every value that these folds take from it."""
    used: dict[type[Event], set[Value]] = {}
    for plan, lanes in plans:
        for route in (route for routes in plan.routes.values() for route in routes):
            parts = [part for part in route.parts if part.lane in lanes]
            values = {value for part in parts for value in part.values} | set(route.key)
            values |= {Field(condition.field) for part in parts for condition in part.when}
            values |= {Envelope("occurred_at") for part in parts if part.lane.order is Order.OCCURRED_AT}
            used.setdefault(route.event, set()).update(values)
    return used


def contribution(plan: Plan, lanes: Sequence[Lane], route: Route) -> str | None:
    """SELECT what each event of a route says by itself to these lanes; None when it says nothing. Reads `relation_of(type)`."""
    columns: list[str] = []
    parts: list[Part] = []
    for lane in lanes:
        said = [part for part in route.parts if part.lane is lane]
        columns += lane_columns(lane, said, route.event)
        parts += said
    return chosen(plan, route, columns, parts) if parts else None


def chosen(plan: Plan, route: Route, columns: Sequence[str], parts: Sequence[Part]) -> str:
    """SELECT the key and `columns` of those events of a route that have a key and say anything by `parts`."""
    keys = [f"{_value(value, route.event)} AS {quoted(name)}" for name, value in zip(plan.fold.key, route.key, strict=True)]
    conditions = [f"{_value(value, route.event)} IS NOT NULL" for value in route.key if isinstance(value, Field)]
    if said := speaking(parts, route.event):
        conditions.append(f"({said})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join([*keys, *columns])} FROM {relation_of(route.event.type)}{where}"


def speaking(parts: Sequence[Part], event: type[Event]) -> str:
    """The condition that an event says anything by `parts`; empty when it always does."""
    return " OR ".join(sorted({_met(part.when, event) for part in parts})) if all(part.when for part in parts) else ""


def lane_columns(lane: Lane, parts: Sequence[Part], event: type[Event]) -> list[str]:
    """What an event says to a lane: its mark, where it has one, and its values."""
    if lane.rule in MARKED:
        return _marked_columns(lane, parts, event)
    name, native = quoted(lane.names[0]), NATIVE[lane.kinds[0]]
    said = [_case(_value(part.values[0], event), part.when, event) for part in parts]
    match lane.rule:
        case Rule.TOTAL:
            terms = [("-" if part.sign < 0 else "") + f"coalesce({text}, 0)" for part, text in zip(parts, said, strict=True)]
            value = f"({' + '.join(terms) or '0'})"
        case Rule.DISTINCT:
            value = f"list_filter([{', '.join(f'({text})::VARCHAR' for text in said)}], lambda x: x IS NOT NULL)" if said else "NULL"
        case Rule.EARLIEST:
            value = f"least({', '.join(said)})" if said else "NULL"
        case _:
            value = f"greatest({', '.join(said)})" if said else "NULL"
    return [f"{value}::{native} AS {name}"]


def _marked_columns(lane: Lane, parts: Sequence[Part], event: type[Event]) -> list[str]:
    mark = [mark_column(lane, parts, event)] if lane.mark is not None else []
    return mark + [value_column(lane, place, parts, event) for place in range(len(lane.names))]


def mark_column(lane: Lane, parts: Sequence[Part], event: type[Event]) -> str:
    """By what an event's values win in a lane; empty where it says nothing."""
    by_time = f"strftime(e_occurred_at, {CANONICAL_TIME}) || lpad(position::VARCHAR, 15, '0')"
    mark, native = ("position", "BIGINT") if lane.order is Order.POSITION else (by_time, "VARCHAR")
    return f"{_cases([(mark, part.when) for part in parts], event)}::{native} AS {quoted(lane.mark_name)}"


def value_column(lane: Lane, place: int, parts: Sequence[Part], event: type[Event]) -> str:
    """What an event says to one column of a lane."""
    value = _cases([(_value(part.values[place], event), part.when) for part in parts], event)
    return f"{value}::{NATIVE[lane.kinds[place]]} AS {quoted(lane.names[place])}"


def _cases(options: Sequence[tuple[str, tuple[Condition, ...]]], event: type[Event]) -> str:
    if not options:
        return "NULL"
    if len(options) == 1 and not options[0][1]:
        return f"({options[0][0]})"
    return "(CASE " + " ".join(f"WHEN {_met(when, event)} THEN {value}" for value, when in options) + " END)"


def _case(value: str, when: tuple[Condition, ...], event: type[Event]) -> str:
    return _cases([(value, when)], event)


def _met(conditions: Sequence[Condition], event: type[Event]) -> str:
    return " AND ".join(_condition(condition, event) for condition in conditions) or "TRUE"


def _condition(condition: Condition, event: type[Event]) -> str:
    field = _value(Field(condition.field), event)
    values = [_literal(value) for value in condition.among if value is not None]
    options = [f"coalesce({field} IN ({', '.join(values)}), FALSE)"] if values else []
    options += [f"{field} IS NULL"] if None in condition.among else []
    return f"{'NOT ' if condition.negated else ''}({' OR '.join(options) or 'FALSE'})"


def _value(value: Value, event: type[Event]) -> str:
    match value:
        case Field(name):
            return quoted("d_" + name)
        case Envelope("position"):
            return "position"
        case Envelope("type"):
            return _literal(event.type)
        case Envelope(name):
            return quoted("e_" + name)
        case Const(constant):
            return "NULL" if constant is None else f"{_literal(constant)}::{NATIVE[kind_of(value, event) or Kind.TEXT]}"


def combined(plan: Plan, lanes: Sequence[Lane], relation: str) -> str:
    """The rows of `relation` (a table or a query in brackets) combined by their keys."""
    keys = ", ".join(quoted(name) for name in plan.fold.key)
    aggregates = [f"{aggregate(lane)} AS l{place}" for place, lane in enumerate(lanes)]
    columns = [column for place, lane in enumerate(lanes) for column in _unpacked(lane, f"l{place}")]
    return f"SELECT {keys}, {', '.join(columns)} FROM (SELECT {keys}, {', '.join(aggregates)} FROM {relation} GROUP BY {keys})"


def aggregate(lane: Lane) -> str:
    """How a lane combines; values that win together as a struct with their mark."""
    value, native = quoted(lane.names[0]), NATIVE[lane.kinds[0]]
    match lane.rule:
        case Rule.FIRST | Rule.LATEST:
            mark = quoted(lane.mark_name)
            fields = ", ".join([f"m := {mark}", *(f"v{place} := {quoted(name)}" for place, name in enumerate(lane.names))])
            return f"{'arg_min' if lane.rule is Rule.FIRST else 'arg_max'}(struct_pack({fields}), {mark})"
        case Rule.EARLIEST:
            return f"min({value})"
        case Rule.NEWEST:
            return f"max({value})"
        case Rule.TOTAL:
            return f"sum({value})::{native}"
        case Rule.DISTINCT:
            return f"coalesce(list_sort(list_distinct(flatten(list({value}) FILTER ({value} IS NOT NULL)))), [])::{native}"


def _unpacked(lane: Lane, group: str) -> list[str]:
    if lane.rule not in MARKED:
        return [f"{group} AS {quoted(lane.names[0])}"]
    values = [f"{group}.v{place} AS {quoted(name)}" for place, name in enumerate(lane.names)]
    return [f"{group}.m AS {quoted(lane.mark_name)}", *values]


def canonical(layout: Layout, relation: str) -> str:
    """SELECT the columns of `layout` from native `relation` as canonical cells; tuples as lists."""
    columns = [f"{_canonical(quoted(column.name), column.kind)} AS {quoted(column.name)}" for column in layout.columns]
    return f"SELECT {', '.join(columns)} FROM {relation}"


def _canonical(name: str, kind: Kind) -> str:
    match kind:
        case Kind.INSTANT:
            return f"strftime({name}, {CANONICAL_TIME})"
        case Kind.DECIMAL:
            return f"({name}::DECIMAL(24,4) * 10000)::BIGINT"
        case Kind.ID | Kind.DATE:
            return f"{name}::VARCHAR"
        case _:
            return name


def native(layout: Layout, relation: str) -> str:
    """SELECT the columns of `layout` from `relation`, which holds canonical cells, as native values."""
    columns = [f"{_native(quoted(column.name), column.kind)} AS {quoted(column.name)}" for column in layout.columns]
    return f"SELECT {', '.join(columns)} FROM {relation}"


def _native(name: str, kind: Kind) -> str:
    if kind is Kind.DECIMAL:
        return f"({name}::DECIMAL(18,0) * 0.0001)::{NATIVE[kind]}"
    return f"{name}::{NATIVE[kind]}"
