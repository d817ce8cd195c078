"""A fold: which events make which columns of one table. It is data, checked when it is declared."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

from domain.event import Event
from projections.rules import MARKED, Column, Rule, Source, What, value_of
from projections.shapes import BadFold, shape
from projections.values import CONSTANTS, EVENT_ID, POSITION, Condition, Field, Value, excludes, kind_of, personal
from readmodels.layout import MARK_PREFIX, Kind

ALGEBRA: Final = 1
"""Raised when a rule's meaning or a table's make-up changes, so that every fold is folded again."""

ORDERED: Final = (Kind.INTEGER, Kind.DECIMAL, Kind.INSTANT, Kind.DATE, Kind.TEXT)
NUMBERS: Final = (Kind.INTEGER, Kind.DECIMAL)
SET_MEMBERS: Final = (Kind.TEXT, Kind.ID)


class Home(StrEnum):
    """Where a fold's table lies."""

    LOOKUPS = "lookups"
    """The SQL database: a row per entity, to be looked up."""
    FACTS = "facts"
    """DuckDB: a row per event or interval, to be counted; and dimensions, without personal columns."""


BOTH: Final = (Home.LOOKUPS, Home.FACTS)


class Fold:
    """The declaration of one table. Raises BadFold when it contradicts itself or its events.

    `key` names the key columns and what they are taken from: a name is both. An event whose key has an empty part
    contributes nothing. `columns` combine by their rules; where an event has nothing to say to a column, it keeps silent.
    """

    def __init__(
        self,
        name: str,
        *,
        homes: Sequence[Home],
        key: str | Sequence[str] | Mapping[str, What],
        columns: Mapping[str, Column],
        indexes: Sequence[Sequence[str]] = (),
    ) -> None:
        self.name = name
        self.homes = frozenset(homes)
        self.key: dict[str, Value] = _key(key)
        self.columns = dict(columns)
        self.indexes = tuple(tuple(index) for index in indexes)
        self._check()

    def __repr__(self) -> str:
        return f"Fold({self.name})"

    def only(self, columns: Collection[str]) -> "Fold":
        """The same fold with some of its columns alone, for who asks no others. Raises BadFold for one that there is not."""
        if unknown := set(columns) - set(self.columns):
            raise BadFold(f"{self.name} has no columns {sorted(unknown)}")
        kept = {name: column for name, column in self.columns.items() if name in columns}
        there = {*self.key, *kept}
        return Fold(
            self.name,
            homes=sorted(self.homes),
            key=self.key,
            columns=kept,
            indexes=[index for index in self.indexes if there.issuperset(index)],
        )

    def sources(self) -> Iterator[Source]:
        """All sources of all columns."""
        for column in self.columns.values():
            yield from column.sources

    def key_of(self, source: Source) -> tuple[Value, ...]:
        """What the row's key is taken from."""
        return tuple(self.key.values()) if source.key is None else source.key

    @cached_property
    def events(self) -> tuple[type[Event], ...]:
        """The events it is made of, by name."""
        return tuple(sorted({source.event for source in self.sources()}, key=lambda event: event.type))

    @cached_property
    def per_event(self) -> bool:
        """Whether each event has a row to itself, so that rows never meet."""
        own = all(source.key is None for source in self.sources())
        return own and any(value in (POSITION, EVENT_ID) for value in self.key.values())

    @cached_property
    def key_kinds(self) -> tuple[Kind, ...]:
        """What the key columns hold."""
        return tuple(self._one_kind(name, [kind for kind in kinds if kind]) for name, kinds in self._keys_by_column())

    def kind(self, name: str) -> Kind:
        """What column `name` holds."""
        column = self.columns[name]
        kind = self._one_kind(name, [kind for source in column.sources if (kind := kind_of(source.value, source.event))])
        return Kind.TEXTS if column.rule is Rule.DISTINCT else kind

    def personal(self, name: str) -> bool:
        """Whether column `name` holds what identifies a person."""
        return any(personal(source.value, source.event) for source in self.columns[name].sources)

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over the declaration and the shapes of its events."""
        shapes = [(event.type, event.v, sorted((n, s.kind, s.personal) for n, s in shape(event).items())) for event in self.events]
        columns = [
            (name, c.rule, c.order, [(s.event.type, repr(s.value), repr(s.when), repr(s.key), s.sign) for s in c.sources])
            for name, c in self.columns.items()
        ]
        declared = repr((ALGEBRA, self.name, sorted(self.homes), repr(self.key), columns, self.indexes, shapes))
        return hashlib.sha256(declared.encode()).hexdigest()[:32]

    def _keys_by_column(self) -> Iterator[tuple[str, list[Kind | None]]]:
        for place, name in enumerate(self.key):
            yield name, [kind_of(self.key_of(source)[place], source.event) for source in self.sources()]

    def _one_kind(self, name: str, kinds: Sequence[Kind]) -> Kind:
        if len(set(kinds)) != 1:
            raise BadFold(f"{self.name}.{name}: its sources must hold one kind of value, not {sorted(set(kinds)) or 'nothing'}")
        return kinds[0]

    def _check(self) -> None:
        for name in (self.name, *self.key, *self.columns):
            if not name.isidentifier() or name.startswith(MARK_PREFIX) or "__" in name:
                raise BadFold(f"{self.name}: “{name}” cannot name a table or column")
        if not self.homes or not self.columns or not self.key:
            raise BadFold(f"{self.name}: a fold needs a home, a key and columns")
        if both := set(self.key) & set(self.columns):
            raise BadFold(f"{self.name}: {sorted(both)} are key columns and hold their values already")
        for index in self.indexes:
            if unknown := set(index) - set(self.key) - set(self.columns):
                raise BadFold(f"{self.name}: the index over {index} names unknown columns {sorted(unknown)}")
        for name, column in self.columns.items():
            self._check_column(name, column)
        _ = self.key_kinds

    def _check_column(self, name: str, column: Column) -> None:
        if not column.sources:
            raise BadFold(f"{self.name}.{name}: a column needs sources")
        for source in column.sources:
            if source.key is not None and len(source.key) != len(self.key):
                raise BadFold(f"{self.name}.{name}: a key of {len(source.key)} parts for a table with {len(self.key)}")
            for condition in source.when:
                self._check_condition(name, source.event, condition)
        kind = self._one_kind(name, [kind for source in column.sources if (kind := kind_of(source.value, source.event))])
        fitting = {Rule.EARLIEST: ORDERED, Rule.NEWEST: ORDERED, Rule.TOTAL: NUMBERS, Rule.DISTINCT: SET_MEMBERS}
        if kind not in fitting.get(column.rule, tuple(Kind)):
            raise BadFold(f"{self.name}.{name}: {column.rule} does not combine values of kind {kind}")
        if column.rule in MARKED:
            self._check_one_value(name, column)

    def _check_condition(self, name: str, event: type[Event], condition: Condition) -> None:
        kind = kind_of(Field(condition.field), event)
        fitting = {kind, Kind.TEXT if kind is Kind.ID else kind}
        if any(value is not None and CONSTANTS[type(value)] not in fitting for value in condition.among):
            raise BadFold(f"{self.name}.{name}: {event.__name__}.{condition.field} is of kind {kind}, never {condition.among}")

    def _check_one_value(self, name: str, column: Column) -> None:
        """One event must not say two things to one cell."""
        for place, one in enumerate(column.sources):
            for other in column.sources[place + 1 :]:
                if one.event is other.event and not excludes(one.when, other.when):
                    raise BadFold(f"{self.name}.{name}: {one.event.__name__} gives it two values at once")


def _key(key: str | Sequence[str] | Mapping[str, What]) -> dict[str, Value]:
    if isinstance(key, str):
        return {key: Field(key)}
    if isinstance(key, Mapping):
        return {name: value_of(what) for name, what in key.items()}
    return {name: Field(name) for name in key}
