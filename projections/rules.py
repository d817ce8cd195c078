"""By which rule a column combines what events say; each is associative and commutative and has a neutral element.

| rule | keeps | neutral |
|---|---|---|
| first | the value of the event that came first, with the mark it won by | nothing yet |
| latest | the value of the event that came last, with the mark it won by; None wins too | nothing yet |
| earliest | the least value | None |
| newest | the greatest value | None |
| total | the signed sum, exact | 0 |
| distinct | the set of values | the empty set |

A tally is a total of ones. Because of these laws any split of the log into batches gives the same row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.event import Event
from projections.values import Condition, Const, Field, Value

What = str | Value
"""A value; a bare name is a field of the event's data."""
Whens = Condition | tuple[Condition, ...]


class Rule(StrEnum):
    """How values combine."""

    FIRST = "first"
    LATEST = "latest"
    EARLIEST = "earliest"
    NEWEST = "newest"
    TOTAL = "total"
    DISTINCT = "distinct"


class Order(StrEnum):
    """What makes one event later than another."""

    POSITION = "position"
    """The order in which we learnt of them."""
    OCCURRED_AT = "occurred_at"
    """When they happened, so that late entries slot in; the position decides between equals."""


MARKED: Final = (Rule.FIRST, Rule.LATEST)


@dataclass(frozen=True, slots=True)
class Source:
    """`event` contributes `value` (times `sign`, for totals) to the row named by `key`, if all of `when` hold."""

    event: type[Event]
    value: Value
    when: tuple[Condition, ...] = ()
    key: tuple[Value, ...] | None = None
    """Of which row; None for the fold's own key."""
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A rule over sources; `|` adds the sources of another column with the same rule."""

    rule: Rule
    sources: tuple[Source, ...]
    order: Order = Order.POSITION

    def __or__(self, other: "Column") -> "Column":
        """Both columns' sources under their one rule. Raises TypeError where the rules differ."""
        if (self.rule, self.order) != (other.rule, other.order):
            raise TypeError(f"a column has one rule: {self.rule} by {self.order} and {other.rule} by {other.order} do not combine")
        return Column(self.rule, self.sources + other.sources, self.order)


def value_of(what: What) -> Value:
    """The value that `what` names."""
    return Field(what) if isinstance(what, str) else what


def _sources(what: What, events: Iterable[type[Event]], when: Whens, key: Sequence[What] | None, sign: int = 1) -> tuple[Source, ...]:
    conditions = (when,) if isinstance(when, Condition) else when
    keys = None if key is None else tuple(value_of(part) for part in key)
    return tuple(Source(event, value_of(what), conditions, keys, sign) for event in events)


def first(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None, order: Order = Order.POSITION) -> Column:
    """The value that came first."""
    return Column(Rule.FIRST, _sources(what, events, when, key), order)


def latest(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None, order: Order = Order.POSITION) -> Column:
    """The value that came last."""
    return Column(Rule.LATEST, _sources(what, events, when, key), order)


def latest_of(values: Mapping[type[Event], What], *, order: Order = Order.POSITION) -> Column:
    """The value that came last, where each event has its own."""
    return Column(Rule.LATEST, tuple(Source(event, value_of(what)) for event, what in values.items()), order)


def earliest(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None) -> Column:
    """The least value."""
    return Column(Rule.EARLIEST, _sources(what, events, when, key))


def newest(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None) -> Column:
    """The greatest value."""
    return Column(Rule.NEWEST, _sources(what, events, when, key))


def total(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None) -> Column:
    """The sum; None counts as 0."""
    return Column(Rule.TOTAL, _sources(what, events, when, key))


def less(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None) -> Column:
    """What is taken off a total: `total(…) | less(…)`."""
    return Column(Rule.TOTAL, _sources(what, events, when, key, -1))


def tally(
    *, plus: Iterable[type[Event]] = (), minus: Iterable[type[Event]] = (), when: Whens = (), key: Sequence[What] | None = None
) -> Column:
    """How many events, those in `minus` counted down."""
    return Column(Rule.TOTAL, _sources(Const(1), plus, when, key) + _sources(Const(1), minus, when, key, -1))


def distinct(what: What, *events: type[Event], when: Whens = (), key: Sequence[What] | None = None) -> Column:
    """The set of values, sorted; None is not in it."""
    return Column(Rule.DISTINCT, _sources(what, events, when, key))
