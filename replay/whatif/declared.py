"""Read models declared as data, for a trial: what a fold in `projections/` says, without code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.catalogue import EVENTS
from domain.event import Event
from projections.fold import Fold, Home
from projections.rules import Column, Order, Rule, Source
from projections.shapes import BadFold
from projections.values import Condition, Const, Envelope, Field, Value, personal
from replay.whatif.errors import TrialRefused

BY_TYPE: Final[Mapping[str, type[Event]]] = {event.type: event for event in EVENTS}
PART: Final = "@"
"""Begins the name of a part of the envelope, as in `@occurred_at`."""
TALLY: Final = "tally"
RULES: Final = (*(rule.value for rule in Rule), TALLY)

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSaid:
    """Events that say something to a column: the value of `field` (or of a part of the envelope), or always the same."""

    events: Sequence[str]
    field: str | None = None
    value: Scalar = None
    when: Mapping[str, Sequence[Scalar]]
    unless: Mapping[str, Sequence[Scalar]]
    key: Sequence[str] | None = None
    minus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSaid:
    """A column: the rule by which it combines what its sources say."""

    rule: str
    sources: Sequence[SourceSaid]
    order: str = Order.POSITION.value


def declared(name: str, key: Mapping[str, str], columns: Mapping[str, ColumnSaid]) -> Fold:
    """The fold that is declared. Raises TrialRefused `whatif.fold`."""
    try:
        made = Fold(
            name,
            homes=[Home.FACTS],
            key={column: _named(what) for column, what in key.items()},
            columns={column: _column(said) for column, said in columns.items()},
        )
        _hold_impersonal(made)
        for column in made.columns:
            made.kind(column)
    except BadFold as error:
        raise TrialRefused("whatif.fold", str(error)) from None
    return made


def _hold_impersonal(made: Fold) -> None:
    said = [(source.event, value) for source in made.sources() for value in (source.value, *made.key_of(source))]
    about = {f"{event.type} {value.name}" for event, value in said if isinstance(value, Field) and personal(value, event)}
    if about:
        raise BadFold(f"{made.name}: {', '.join(sorted(about))} can identify a person; facts hold nothing that does")


def _column(said: ColumnSaid) -> Column:
    sources = tuple(source for each in said.sources for source in _sources(said.rule, each))
    return Column(Rule.TOTAL if said.rule == TALLY else Rule(said.rule), sources, Order(said.order))


def _sources(rule: str, said: SourceSaid) -> Sequence[Source]:
    value = Const(1) if rule == TALLY else _named(said.field) if said.field is not None else Const(said.value)
    when = tuple(
        Condition(field, tuple(among), negated)
        for negated, conditions in ((False, said.when), (True, said.unless))
        for field, among in conditions.items()
    )
    key = None if said.key is None else tuple(_named(what) for what in said.key)
    return [Source(_event(name), value, when, key, -1 if said.minus else 1) for name in said.events]


def _event(name: str) -> type[Event]:
    if name not in BY_TYPE:
        raise BadFold(f"there is no event “{name}”")
    return BY_TYPE[name]


def _named(what: str) -> Value:
    return Envelope(what.removeprefix(PART)) if what.startswith(PART) else Field(what)
