"""Finding the events that speak to a row: in the streams and timelines they are known to lie in, otherwise among all there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import duckdb

from domain.envelope import StoredEvent
from domain.event import Event
from projections.history import History
from projections.plan import Key, Lane, Plan, Route
from projections.sql import relation_of
from projections.values import POSITION, Const, Envelope, Field, Value
from readmodels.facts import NATIVE
from readmodels.layout import Kind
from replay.explain.arithmetic import key_of
from replay.moments import Moment


class Streams(Protocol):
    """The log, read by stream or by position."""

    def read_stream(self, stream_id: UUID) -> Sequence[StoredEvent]:
        """A stream's events in order."""
        ...

    def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Up to `limit` events after position `after`."""
        ...

    def read_at(self, positions: Sequence[int]) -> Sequence[StoredEvent]:
        """The events at these positions, in the order in which they are named."""
        ...


class Timelines(Protocol):
    """Where the events lie that name a customer."""

    def positions(self, customer_id: str, types: Collection[str], upto: int) -> list[int] | None:
        """The positions, up to `upto`, of these types' events of a customer; None where that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Which row is asked for, which of its lanes, and in which part of history."""

    plan: Plan
    lanes: Collection[Lane]
    key: Key
    upto: int
    moment: Moment

    @property
    def routes(self) -> list[Route]:
        """Those that speak to these lanes."""
        found = (route for routes in self.plan.routes.values() for route in routes)
        return [route for route in found if any(part.lane in self.lanes for part in route.parts)]

    def sees(self, event: StoredEvent) -> bool:
        """Whether the event is in that part and speaks to the row."""
        if event.position > self.upto or not self.moment.sees(event):
            return False
        return any(key_of(route.key, route.event, event) == self.key for route in self.plan.routes.get(event.type, ()))


@dataclass(slots=True)
class Ways:
    """By what the events of a row can be found; `all` when nothing narrower does."""

    streams: set[str] = field(default_factory=set[str])
    customers: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Which types, by customer."""
    positions: set[int] = field(default_factory=set[int])
    all: bool = False


class Finder:
    """Finds events in one log. Without `timelines` it goes through all of them, and trusts nothing but their fields."""

    def __init__(self, streams: Streams, history: History, timelines: Timelines | None = None) -> None:
        self._streams = streams
        self._history = history
        self._timelines = timelines

    def events(self, asked: Asked) -> list[StoredEvent]:
        """The events that speak to the row, in the order of their positions. Raises duckdb.Error when one is not of its type's shape."""
        found = None if self._timelines is None else self._by_index(asked, ways(asked), self._timelines)
        if found is None:
            found = self._streams.read_at(self._scan(asked))
        return sorted(filter(asked.sees, found), key=lambda event: event.position)

    def _by_index(self, asked: Asked, ways: Ways, timelines: Timelines) -> list[StoredEvent] | None:
        if ways.all:
            return None
        found: dict[int, StoredEvent] = {}
        for stream in sorted(ways.streams):
            found |= {event.position: event for event in self._streams.read_stream(UUID(stream))}
        for position in ways.positions:
            if 0 < position <= asked.upto:
                found |= {event.position: event for event in self._streams.read(position - 1, 1)}
        positions: set[int] = set()
        for customer, types in ways.customers.items():
            of_customer = timelines.positions(customer, types, asked.upto)
            if of_customer is None:
                return None
            positions.update(of_customer)
        return [*found.values(), *self._streams.read_at(sorted(positions - found.keys()))]

    def _scan(self, asked: Asked) -> list[int]:
        used: dict[type[Event], set[Value]] = {}
        for route in asked.routes:
            used.setdefault(route.event, set()).update(value for value in route.key if not isinstance(value, Const))
        with (
            duckdb.connect(":memory:") as scratch,
            self._history.relations(scratch, used, upto=asked.upto, only=asked.moment.condition) as types,
        ):
            chosen = [_positions(asked, route) for route in asked.routes if route.event.type in types]
            if not chosen:
                return []
            rows = scratch.execute(" UNION ".join(chosen) + " ORDER BY position", _given(asked, " ".join(chosen))).fetchall()
        return [position for (position,) in rows]


def ways(asked: Asked) -> Ways:
    """How the events of the row can be found.

    A key's part that is the id of the event's own record names its stream, a customer among the parts its timeline.
    """
    found = Ways()
    for route in asked.routes:
        parts = {value.name: part for value, part in zip(route.key, asked.key, strict=True) if isinstance(value, Field)}
        customer = next((parts[name] for name in ("customer_id", "previous_customer_id") if name in parts), None)
        if route.event.stream in parts:
            found.streams.add(parts[route.event.stream])
        elif customer is not None:
            found.customers.setdefault(customer, set()).add(route.event.type)
        elif POSITION in route.key:
            found.positions.add(asked.key[route.key.index(POSITION)])
        else:
            found.all = True
    return found


def _positions(asked: Asked, route: Route) -> str:
    kinds = asked.plan.fold.key_kinds
    same = [_same(place, value, kind, asked.key) for place, (value, kind) in enumerate(zip(route.key, kinds, strict=True))]
    return f"SELECT position FROM {relation_of(route.event.type)} WHERE {' AND '.join(same)}"


def _same(place: int, value: Value, kind: Kind, key: Key) -> str:
    match value:
        case Field(name):
            column = f'"d_{name}"'
        case Envelope("position"):
            column = "position"
        case Envelope(name):
            column = f'"e_{name}"'
        case Const(constant):
            return str(constant == key[place])
    return f"{column} = CAST($k{place} AS {NATIVE[kind]})"


def _given(asked: Asked, sql: str) -> dict[str, Any]:
    return {f"k{place}": part for place, part in enumerate(asked.key) if f"$k{place} " in sql}
