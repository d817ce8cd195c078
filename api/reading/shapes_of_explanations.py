"""What explanations look like over HTTP."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from api.reading.shapes import Body, RecordRef
from projections.rules import Order, Rule
from readmodels import figure_rows, funnel_rows, satisfaction_rows, waterfall
from readmodels.layout import Kind


class CellRef(Body):
    """The address of a cell, to be explained in its turn."""

    fold: str
    key: str
    """Its parts in the fold's order, with commas between, as a line of CSV."""
    column: str


class Counts(Body):
    """How an event counts."""

    value: Any
    """What it says."""
    sign: Literal[1, -1]
    """How a total takes it."""
    when: list[str]
    """The conditions that it meets; without them it would say nothing."""
    so_far: Any
    """What the cell was after it, in the order of recording."""
    won: bool | None
    """Whether the cell shows it; null where every event adds."""


class EventBehind(Body):
    """An event behind a number."""

    position: int
    event_id: UUID
    type: str
    record: RecordRef
    customer_id: UUID | None
    occurred_at: str
    """When it happened."""
    recorded_at: str
    """When we learnt of it."""
    actor: str
    source: str
    """By which door."""
    command_id: str
    irregular: list[str]
    says: str
    data: dict[str, Any]
    erased: list[str]


class ExplainedEvent(EventBehind):
    """An event behind a cell."""

    counts: Counts


class OfType(Body):
    """The events of one type together."""

    type: str
    events: int
    comes_to: Any
    """What they add to a total; null for other rules."""


class ExplanationBody(Body):
    """A cell, what it is made of, and what that comes to."""

    fold: str
    key: dict[str, Any]
    column: str
    kind: Kind
    rule: Rule
    order: Order
    """What makes one event later than another, for `first` and `latest`."""
    shown: Any
    """What the read model has."""
    comes_to: Any
    """What all the events come to."""
    agrees: bool
    events: int
    won_by: int | None
    """The position of the event that the cell shows; null where every event adds."""
    by_type: list[OfType]
    items: list[ExplainedEvent]
    next: str | None


class EventBecause(EventBehind):
    """An event behind a row of a figure, and the cells that it made what they are."""

    cells: list[CellRef]


class RowBehind(Body):
    """A record that a figure counts, and what it adds."""

    kind: Literal["opportunity", "survey"]
    id: UUID
    name: str | None
    customer_id: UUID | None
    value: Any
    events: list[EventBecause]


class FigureBody(Body):
    """What a figure shows, and what the rows behind it come to by the figure's own rule."""

    rule: figure_rows.Rule
    shown: Any
    comes_to: Any
    agrees: bool
    rows: int
    items: list[RowBehind]
    next: str | None


class FunnelExplanationBody(FigureBody):
    """A number of a funnel."""

    figure: Literal["funnel"]
    stage: str | None
    group: str | None
    number: funnel_rows.Number


class SatisfactionExplanationBody(FigureBody):
    """A number of satisfaction."""

    figure: Literal["satisfaction"]
    group: str | None
    number: satisfaction_rows.Number
    score: int | None = Field(description="For a distribution: of which score.")


class WaterfallExplanationBody(FigureBody):
    """A bar of the waterfall."""

    figure: Literal["waterfall"]
    bar: waterfall.Bar
    group: str | None
