"""The Python evaluator: events to rows, for live micro-batches."""

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from domain.envelope import StoredEvent
from domain.event import Event
from projections.plan import Cells, Key, Lane, Part, Plan, Route, Rows
from projections.rules import Order, Rule
from projections.values import Condition, Const, Envelope, Field, Value, kind_of
from readmodels.layout import Kind

Getter = Callable[[StoredEvent], Any]
Step = Callable[[Cells, StoredEvent], None]
Apply = Callable[[StoredEvent, Rows], None]

PLACES = 4
TEN_THOUSANDTHS = Decimal("0.0001")
LIMIT = 10**18


class Poison(Exception):
    """A fold could not take an event; `position` says which, the message why."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


def scaled(text: str) -> int:
    """A decimal as a count of 1/10000; finer digits are rounded half away from zero. Raises ValueError, also from 10^14 up."""
    whole, _, fraction = text.partition(".")
    if len(fraction) > PLACES:
        with localcontext(prec=len(text) + PLACES):
            whole, _, fraction = str(Decimal(text).quantize(TEN_THOUSANDTHS, ROUND_HALF_UP)).partition(".")
    count = int(whole + fraction.ljust(PLACES, "0"))
    if abs(count) >= LIMIT:
        raise ValueError(f"{text} is too large for a column")
    return count


def evaluate(plan: Plan, events: Iterable[StoredEvent]) -> Rows:
    """The rows that `events`, in the order of their positions, make by themselves. Raises Poison."""
    applies = _compiled(plan)
    rows: Rows = {}
    for event in events:
        for apply in applies.get(event.type, ()):
            try:
                apply(event, rows)
            except Exception as error:
                raise Poison(event.position, f"{event.type}: {type(error).__name__}: {error}") from error
    return rows


def combine(plan: Plan, into: Cells, other: Cells) -> None:
    """Make `into` the combination of both rows; the same whichever is which."""
    for lane in plan.lanes:
        _COMBINE[lane.rule](lane, into, other)


def _combine_first(lane: Lane, into: Cells, other: Cells) -> None:
    mark = lane.start - 1
    if other[mark] is not None and (into[mark] is None or other[mark] < into[mark]):
        into[mark : lane.end] = other[mark : lane.end]


def _combine_latest(lane: Lane, into: Cells, other: Cells) -> None:
    mark = lane.start - 1
    if other[mark] is not None and (into[mark] is None or other[mark] > into[mark]):
        into[mark : lane.end] = other[mark : lane.end]


def _combine_earliest(lane: Lane, into: Cells, other: Cells) -> None:
    _earliest(into, lane.start, other[lane.start])


def _combine_newest(lane: Lane, into: Cells, other: Cells) -> None:
    _newest(into, lane.start, other[lane.start])


def _combine_total(lane: Lane, into: Cells, other: Cells) -> None:
    into[lane.start] += other[lane.start]


def _combine_distinct(lane: Lane, into: Cells, other: Cells) -> None:
    into[lane.start] = tuple(sorted({*into[lane.start], *other[lane.start]}))


_COMBINE: dict[Rule, Callable[[Lane, Cells, Cells], None]] = {
    Rule.FIRST: _combine_first,
    Rule.LATEST: _combine_latest,
    Rule.EARLIEST: _combine_earliest,
    Rule.NEWEST: _combine_newest,
    Rule.TOTAL: _combine_total,
    Rule.DISTINCT: _combine_distinct,
}


def _earliest(cells: Cells, place: int, value: Any) -> None:
    if value is not None and (cells[place] is None or value < cells[place]):
        cells[place] = value


def _newest(cells: Cells, place: int, value: Any) -> None:
    if value is not None and (cells[place] is None or value > cells[place]):
        cells[place] = value


@cache
def _compiled(plan: Plan) -> dict[str, tuple[Apply, ...]]:
    return {event_type: tuple(_apply(plan, route) for route in routes) for event_type, routes in plan.routes.items()}


def _apply(plan: Plan, route: Route) -> Apply:
    key_of = _tuple_getter(route.key, route.event)
    always = tuple(_step(part, route.event) for part in route.parts if not part.when)
    sometimes = tuple((_meets(part.when), _step(part, route.event)) for part in route.parts if part.when)
    neutral = plan.neutral()

    def row(rows: Rows, key: Key) -> Cells:
        cells = rows.get(key)
        if cells is None:
            rows[key] = cells = neutral.copy()
        return cells

    def apply(event: StoredEvent, rows: Rows) -> None:
        key = key_of(event)
        if None in key:
            return
        if always:
            cells = row(rows, key)
            for step in always:
                step(cells, event)
        for meets, step in sometimes:
            if meets(event):
                step(row(rows, key), event)

    return apply


def _meets(conditions: Sequence[Condition]) -> Callable[[StoredEvent], bool]:
    tests = [(condition.field, frozenset(condition.among), condition.negated) for condition in conditions]

    def meets(event: StoredEvent) -> bool:
        data = event.data
        return all((data[field] in among) is not negated for field, among, negated in tests)

    return meets


def _step(part: Part, event: type[Event]) -> Step:
    if part.lane.rule in (Rule.FIRST, Rule.LATEST):
        return _marked_step(part, event)
    value_of, place, sign = _getter(part.values[0], event), part.lane.start, part.sign
    match part.lane.rule:
        case Rule.EARLIEST:
            return lambda cells, event: _earliest(cells, place, value_of(event))
        case Rule.NEWEST:
            return lambda cells, event: _newest(cells, place, value_of(event))
        case Rule.DISTINCT:

            def add(cells: Cells, event: StoredEvent) -> None:
                value = value_of(event)
                if value is not None and value not in cells[place]:
                    cells[place] = tuple(sorted((*cells[place], value)))

            return add
        case _:

            def count(cells: Cells, event: StoredEvent) -> None:
                cells[place] += sign * (value_of(event) or 0)

            return count


def _marked_step(part: Part, event: type[Event]) -> Step:
    values_of, start, end = _tuple_getter(part.values, event), part.lane.start, part.lane.end
    mark_place, by_position, wants_first = part.lane.mark, part.lane.order is Order.POSITION, part.lane.rule is Rule.FIRST
    if mark_place is None:

        def put(cells: Cells, event: StoredEvent) -> None:
            cells[start:end] = values_of(event)

        return put

    def win(cells: Cells, event: StoredEvent) -> None:
        mark = event.position if by_position else mark_by_time(event.occurred_at, event.position)
        held = cells[mark_place]
        if held is None or (mark < held if wants_first else mark > held):
            cells[mark_place] = mark
            cells[start:end] = values_of(event)

    return win


def mark_by_time(occurred_at: str, position: int) -> str:
    """A mark whose text order is the order of happening, and of positions between equals."""
    return f"{occurred_at}{position:015d}"


def _tuple_getter(values: Sequence[Value], event: type[Event]) -> Callable[[StoredEvent], tuple[Any, ...]]:
    plain = [value.name for value in values if isinstance(value, Field) and kind_of(value, event) not in _CONVERT]
    if len(plain) == len(values) > 1:
        take = itemgetter(*plain)
        return lambda event: take(event.data)
    if len(values) == 1:
        one = _getter(values[0], event)
        return lambda event: (one(event),)
    getters = [_getter(value, event) for value in values]
    return lambda event: tuple([get(event) for get in getters])


def _getter(value: Value, event: type[Event]) -> Getter:
    match value:
        case Field(name):
            return _field_getter(name, _CONVERT.get(kind_of(value, event) or Kind.TEXT))
        case Envelope(name):
            return attrgetter(name)
        case Const(constant):
            return lambda _event: constant


def _field_getter(name: str, convert: Callable[[Any], Any] | None) -> Getter:
    if convert is None:
        return lambda event: event.data[name]

    def converted(event: StoredEvent) -> Any:
        value = event.data[name]
        return None if value is None else convert(value)

    return converted


_CONVERT: dict[Kind | None, Callable[[Any], Any]] = {Kind.DECIMAL: scaled, Kind.TEXTS: tuple}
