"""What each event says to a cell, and what all of it comes to: worked out event by event, apart from the evaluators that fold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domain.envelope import StoredEvent
from domain.event import Event
from projections.evaluate import mark_by_time, scaled
from projections.plan import Key, Plan
from projections.rules import MARKED, Order, Rule
from projections.values import Condition, Const, Envelope, Field, Value, kind_of
from readmodels.layout import Kind
from replay.explain.cells import Cell


@dataclass(slots=True)
class Said:
    """What one event says to the cell. An event may say several things to a total, each by itself."""

    event: StoredEvent
    value: Any
    """A canonical cell; for a total, before the sign."""
    sign: int
    when: tuple[Condition, ...]
    """The conditions that it meets."""
    so_far: Any = None
    """What the cell was after it, in the order of the positions."""
    won: bool | None = None
    """Whether it is what the cell shows; None for totals and sets, to which all add."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What events say to a cell, in the order of their positions, and what that comes to."""

    value: Any
    said: list[Said]

    @property
    def winner(self) -> Said | None:
        """The one that the cell shows, if the column has such a rule."""
        return next((said for said in self.said if said.won), None)


def add_up(cell: Cell, events: Iterable[StoredEvent]) -> Sum:
    """What `events`, in the order of their positions, say to the cell."""
    said = [found for event in events for found in heard(cell, event)]
    rule = cell.lane.rule
    state: Any = {Rule.TOTAL: 0, Rule.DISTINCT: ()}.get(rule)
    best: Said | None = None
    for one in said:
        if rule is Rule.TOTAL:
            state += one.sign * (one.value or 0)
        elif rule is Rule.DISTINCT:
            state = state if one.value is None else tuple(sorted({*state, one.value}))
        else:
            if _beats(cell, one, best):
                best = one
            state = best.value if best else None
        one.so_far = state
    if rule not in (Rule.TOTAL, Rule.DISTINCT):
        for one in said:
            one.won = one is best
    return Sum(state, said)


def _beats(cell: Cell, one: Said, best: Said | None) -> bool:
    lane = cell.lane
    if lane.rule not in MARKED and one.value is None:
        return False
    if best is None:
        return True
    match lane.rule:
        case Rule.FIRST:
            return _mark(lane.order, one) < _mark(lane.order, best)
        case Rule.LATEST:
            return _mark(lane.order, one) > _mark(lane.order, best)
        case Rule.EARLIEST:
            return bool(one.value < best.value)
        case _:
            return bool(one.value > best.value)


def _mark(order: Order, said: Said) -> Any:
    event = said.event
    return event.position if order is Order.POSITION else mark_by_time(event.occurred_at, event.position)


def heard(cell: Cell, event: StoredEvent) -> Iterator[Said]:
    """What one event says to the cell."""
    lane = cell.lane
    place = lane.names.index(cell.column) if lane.rule in MARKED else 0
    for route in cell.plan.routes.get(event.type, ()):
        if key_of(route.key, route.event, event) != cell.key:
            continue
        for part in route.parts:
            if part.lane is lane and all(_meets(condition, event) for condition in part.when):
                yield Said(event, value_in(part.values[place], route.event, event), part.sign, part.when)


def key_of(key: Sequence[Value], kind: type[Event], event: StoredEvent) -> Key:
    """The key of the row that an event speaks to."""
    return tuple(value_in(value, kind, event) for value in key)


def value_in(value: Value, kind: type[Event], event: StoredEvent) -> Any:
    """What an event has for a value, as a canonical cell."""
    match value:
        case Field(name):
            found = event.data[name]
            match kind_of(value, kind):
                case Kind.DECIMAL if found is not None:
                    return scaled(found)
                case Kind.TEXTS if found is not None:
                    return tuple(found)
                case _:
                    return found
        case Envelope(name):
            return getattr(event, name)
        case Const(constant):
            return constant


def _meets(condition: Condition, event: StoredEvent) -> bool:
    return (event.data[condition.field] in condition.among) is not condition.negated


def keys_of(plan: Plan, event: StoredEvent) -> list[Key]:
    """The keys of the rows that an event speaks to."""
    keys = (key_of(route.key, route.event, event) for route in plan.routes.get(event.type, ()))
    return [key for key in keys if None not in key]
