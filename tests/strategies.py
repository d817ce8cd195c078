"""Hypothesis strategies made from the type hints of the event classes: every event that can be, in its envelope."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bus.catalogue import hints
from domain.catalogue import EVENTS
from domain.envelope import Cause, NewEvent
from domain.event import Event

# What the door lets in: any text but lone surrogates, which are no Unicode text, and NUL, which PostgreSQL does not store.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
amounts = st.decimals(-(10**12), 10**12, places=4, allow_nan=False, allow_infinity=False)

_BY_TYPE: Mapping[Any, SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(-(2**31), 2**31 - 1),
    bool: st.booleans(),
    Decimal: amounts,
    datetime: instants,
    date: st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    UUID: st.uuids(),
    type(None): st.none(),
}


def values(hint: Any) -> SearchStrategy[Any]:
    """Any value that a field with this type hint may have."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=4).map(tuple)
    if origin in (Union, UnionType):
        return st.one_of(*(values(option) for option in arguments))
    return _BY_TYPE[hint]


def events(event: type[Event], **chosen: SearchStrategy[Any]) -> SearchStrategy[Event]:
    """Any event of a class; `chosen` fields come from other strategies."""
    return st.builds(event, **{name: values(hint) for name, hint in hints(event).items()} | chosen)


any_event: SearchStrategy[Event] = st.sampled_from(EVENTS).flatmap(events)

causes = st.builds(Cause, actor=texts, source=texts, command_id=texts, correlation_id=st.none() | texts, causation_id=st.none() | texts)


@st.composite
def new_events(draw: st.DrawFn, event: SearchStrategy[Event] = any_event) -> NewEvent:
    """Any event in its envelope, as version 1 of its stream."""
    happened = draw(event)
    return NewEvent(
        id=draw(st.uuids()),
        stream_id=getattr(happened, happened.stream),
        version=1,
        occurred_at=draw(instants),
        recorded_at=draw(instants),
        cause=draw(causes),
        irregular=tuple(draw(st.lists(texts, max_size=3))),
        event=happened,
    )
