"""How answers look, for the published document; the routes write them as bytes themselves."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from readmodels import funnel, health, satisfaction, waterfall
from readmodels.layout import Kind, Layout

AmountText = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2,4}$")]
Share = Annotated[float, Field(ge=0, le=1)]

CELLS: Final[Mapping[Kind, Any]] = {
    Kind.TEXT: str,
    Kind.ID: UUID,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.DECIMAL: AmountText,
    Kind.INSTANT: datetime,
    Kind.DATE: date,
    Kind.TEXTS: list[str],
}


class Row(BaseModel):
    """What is made from a read model's columns."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def row_model(title: str, layout: Layout, /, *names: str, **others: Any) -> type[BaseModel]:
    """A row of a read model, or some of its columns; `others` are more fields with their types."""
    kinds = {column: CELLS[layout.column(column).kind] for column in names or layout.shown}
    columns = {column: kind if column in layout.key else kind | None for column, kind in kinds.items()}
    fields: dict[str, Any] = {column: (kind, ...) for column, kind in (columns | others).items()}
    return create_model(title, __base__=Row, **fields)


class FunnelStage(Body):
    """One stage of one group; docs/figures.md says what each figure counts."""

    group: str | None
    stage: str
    label: str
    status: str
    retired: bool
    reached: int
    visited: int
    converted: int
    lost_from: int
    now_in: int
    value: AmountText
    now_value: AmountText
    step_rate: Share | None
    overall_rate: Share | None
    median_days: float | None
    p90_days: float | None
    back_moves: int


class FunnelTotals(Body):
    """What one group's deals came to."""

    group: str | None
    opened: int
    open: int
    won: int
    lost: int
    open_value: AmountText
    won_value: AmountText
    lost_value: AmountText
    win_rate: Share | None
    median_days_to_close: float | None
    median_days_to_win: float | None
    median_days_to_lose: float | None


class PipelineFunnel(Body):
    """One pipeline's funnel."""

    pipeline_id: UUID
    name: str
    stages: list[FunnelStage]
    totals: list[FunnelTotals]


class FunnelBody(Body):
    """The funnel of one pipeline, or of each."""

    view: funnel.View
    by: funnel.By
    since: date | None
    until: date | None
    currency: str
    """The base currency of all values."""
    funnels: list[PipelineFunnel]


class WaterfallStep(Body):
    """One bar; docs/figures.md says what each counts."""

    bar: waterfall.Bar
    value: AmountText
    """Signed: all but that of the closing add up to the closing's."""
    level: AmountText
    """What the pipeline stands at after it."""
    times: int
    """How often it happened."""
    deals: int
    """How many deals it happened to."""


class WaterfallGroup(Body):
    """The change of one group's pipeline."""

    group: str | None
    label: str | None
    """What people call the group."""
    steps: list[WaterfallStep]


class WaterfallBody(Body):
    """How the open pipeline changed, by group."""

    since: datetime
    until: datetime | None
    clock: waterfall.Clock
    by: waterfall.By
    closing_from: date | None
    closing_until: date | None
    currency: str
    """The base currency of all values."""
    waterfalls: list[WaterfallGroup]


class WaterfallDeal(Body):
    """What one deal adds to a bar."""

    opportunity_id: UUID
    name: str | None
    customer_id: UUID | None
    group: str | None
    value: AmountText
    """Signed; those of all deals add up to the bar's."""
    times: int
    positions: list[int]
    """Of the events that made it do so; none at the opening and the closing."""


class WaterfallDealsBody(Body):
    """A page of the deals behind a bar, the largest first."""

    items: list[WaterfallDeal]
    next: str | None


class SatisfactionGroup(Body):
    """One group's figures."""

    group: str | None
    sent: int
    sent_and_answered: int
    response_rate: Share | None
    answers: int
    figure: float | None
    """CSAT in per cent, NPS from -100 to 100, or the mean of CES."""
    mean: float | None
    distribution: dict[str, int]


class SatisfactionBody(Body):
    """Satisfaction by group."""

    survey: satisfaction.Survey
    by: satisfaction.By
    since: date | None
    until: date | None
    groups: list[SatisfactionGroup]


class Comment(Body):
    """What a customer wrote beside a score."""

    survey_id: UUID
    customer_id: UUID
    contact_id: UUID | None
    kind: satisfaction.Survey
    about: str
    answered_at: datetime
    score: int
    agent: str | None
    team: str | None
    category: str | None
    channel: str | None
    product: str | None
    comment: str | None
    erased: bool
    """Whether the person was forgotten, so that the comment cannot be read any more."""


class CommentsBody(Body):
    """A page of comments, the latest first."""

    items: list[Comment]
    next: str | None


class TargetClock(Body):
    """A service target."""

    due_at: datetime
    outcome: str | None
    """`met` or `breached` once it is settled."""
    seconds_left: int | None
    overdue: bool


class Clocks(Body):
    """How long a request still has."""

    first_response: TargetClock | None
    resolution: TargetClock | None
    due_at: datetime | None
    """When the next pending target is due."""
    seconds_left: int | None
    overdue: bool
    paused: bool
    """Whether the clock stands, since the request waits."""


class RecordRef(Body):
    """A record."""

    kind: str
    id: UUID


class TimelineEvent(Body):
    """One event in a customer's timeline."""

    position: int
    event_id: UUID
    type: str
    record: RecordRef
    customer_id: UUID
    occurred_at: datetime
    """When it happened."""
    recorded_at: datetime
    """When we learnt of it."""
    actor: str
    source: str
    command_id: str
    irregular: list[str]
    """Codes of the rules that this reported fact breaks."""
    says: str
    data: dict[str, Any]
    erased: list[str]
    """Fields that cannot be read any more, since their person was forgotten."""


class TimelineBody(Body):
    """A page of a timeline."""

    items: list[TimelineEvent]
    next: str | None


class Reason(Body):
    """A rule that applies to a customer."""

    code: str
    verdict: health.Verdict
    says: str


class HealthOfCustomer(Body):
    """How the customer is doing with us."""

    verdict: health.Verdict
    reasons: list[Reason]
    at: datetime
