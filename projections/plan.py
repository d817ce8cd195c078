"""A fold compiled once for both evaluators: which cells a row has, and which event contributes what to them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from domain.event import Event
from projections.fold import Fold, Home
from projections.rules import MARKED, Column, Order, Rule, Source
from projections.values import Condition, Value
from readmodels import layout as tables
from readmodels.layout import MARK_PREFIX, Kind, Layout

Cells = list[Any]
"""The canonical cells of a row after its key."""
Key = tuple[Any, ...]
Rows = dict[Key, Cells]


@dataclass(frozen=True, slots=True)
class Lane:
    """Columns that always win or lose together share one mark; other columns have a lane to themselves."""

    rule: Rule
    order: Order
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    start: int
    """The place of its first value among the cells."""
    mark: int | None
    """The place of the mark; None where rows never meet, and for rules that need none."""

    @property
    def mark_name(self) -> str:
        """The hidden column of the mark."""
        return MARK_PREFIX + self.names[0]

    @property
    def end(self) -> int:
        """The place after its last value."""
        return self.start + len(self.names)


@dataclass(frozen=True, slots=True)
class Part:
    """What one event says to one lane."""

    lane: Lane
    values: tuple[Value, ...]
    when: tuple[Condition, ...]
    sign: int


@dataclass(frozen=True, slots=True)
class Route:
    """What one event says to the row with this key."""

    event: type[Event]
    key: tuple[Value, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A fold with its cells laid out. `routes` are by event type."""

    fold: Fold
    lanes: tuple[Lane, ...]
    routes: Mapping[str, tuple[Route, ...]]
    layout: Layout

    @property
    def name(self) -> str:
        """The fold's name."""
        return self.fold.name

    def neutral(self) -> Cells:
        """The row that changes nothing when combined with another."""
        cells: Cells = [None] * len(self.layout.cells)
        for lane in self.lanes:
            if lane.rule is Rule.TOTAL:
                cells[lane.start] = 0
            elif lane.rule is Rule.DISTINCT:
                cells[lane.start] = ()
        return cells

    def layout_in(self, home: Home) -> Layout:
        """Its table in `home`: no personal columns among the facts."""
        return self.layout.without_personal() if home is Home.FACTS else self.layout

    def lanes_in(self, home: Home) -> tuple[Lane, ...]:
        """Its lanes that have columns in `home`."""
        names = set(self.layout_in(home).names)
        return tuple(lane for lane in self.lanes if names.intersection(lane.names))


@cache
def plan(fold: Fold) -> Plan:
    """`fold` compiled."""
    lanes: dict[int, Lane] = {}
    columns: list[tables.Column] = []
    for names in _lanes(fold):
        lane = _lane(fold, names, len(columns))
        lanes[len(lanes)] = lane
        personal = fold.personal(names[0])
        if lane.mark is not None:
            kind = Kind.INTEGER if lane.order is Order.POSITION else Kind.TEXT
            columns.append(tables.Column(lane.mark_name, kind, personal, hidden=True))
        columns += [tables.Column(name, kind, personal) for name, kind in zip(names, lane.kinds, strict=True)]
    keys = tuple(tables.Column(name, kind) for name, kind in zip(fold.key, fold.key_kinds, strict=True))
    shown = (*fold.key, *fold.columns)
    layout = Layout(fold.name, tuple(fold.key), (*keys, *columns), shown, fold.indexes)
    return Plan(fold, tuple(lanes.values()), _routes(fold, lanes.values()), layout)


def plans(folds: Iterable[Fold], home: Home) -> tuple[Plan, ...]:
    """The plans of those folds that have a table in `home`."""
    return tuple(plan(fold) for fold in folds if home in fold.homes)


def _lanes(fold: Fold) -> Iterator[tuple[str, ...]]:
    shared: dict[object, list[str]] = {}
    for name, column in fold.columns.items():
        shared.setdefault(_signature(fold, name, column), []).append(name)
    return (tuple(names) for names in shared.values())


def _signature(fold: Fold, name: str, column: Column) -> object:
    """Equal for columns that win or lose together; a personal column never shares, so that facts can leave its lane out."""
    if column.rule not in MARKED:
        return name
    return (column.rule, column.order, frozenset(_occasion(source) for source in column.sources), fold.personal(name))


def _occasion(source: Source) -> object:
    return source.event, source.when, source.key


def _lane(fold: Fold, names: tuple[str, ...], place: int) -> Lane:
    column = fold.columns[names[0]]
    marked = column.rule in MARKED and not fold.per_event
    kinds = tuple(fold.kind(name) for name in names)
    return Lane(column.rule, column.order, names, kinds, place + marked, place if marked else None)


def _routes(fold: Fold, lanes: Iterable[Lane]) -> Mapping[str, tuple[Route, ...]]:
    parts: dict[tuple[type[Event], tuple[Value, ...]], list[Part]] = {}
    for lane in lanes:
        by_occasion = [{_occasion(source): source.value for source in fold.columns[name].sources} for name in lane.names]
        for source in fold.columns[lane.names[0]].sources:
            values = tuple(values[_occasion(source)] for values in by_occasion) if lane.rule in MARKED else (source.value,)
            parts.setdefault((source.event, fold.key_of(source)), []).append(Part(lane, values, source.when, source.sign))
    routes: dict[str, list[Route]] = {}
    for (event, key), said in parts.items():
        routes.setdefault(event.type, []).append(Route(event, key, tuple(said)))
    return {event_type: tuple(found) for event_type, found in routes.items()}
