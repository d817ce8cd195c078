"""What if: a trial as callers write it (JSON, or the same as TOML in a file), and how it is answered."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from api.problems import Unavailable
from api.read_parameters import ReadParameters
from api.reading.context import Reading, answer, responses
from commands.command import NO_CONTROL
from domain.requests.policy import KINDS
from projections.rules import Order
from readmodels.columns import canonical_instant
from replay.whatif.declared import ColumnSaid, SourceSaid, declared
from replay.whatif.trial import Promise, StageChange, Trial
from replay.whatif.trying import ALWAYS_READ, try_out

LARGEST: Final = 2**53
SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _whole(value: Any) -> Any:
    """A number without a fraction is whole, however it is written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
Percent = Annotated[int, Field(ge=0, le=100), WHOLE]
RowCount = Annotated[int, Field(ge=1, le=1000), WHOLE]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Span = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}[smhd]$")]
Number = Annotated[int, Field(ge=-LARGEST, le=LARGEST), WHOLE]
OneOf = Annotated[list[Name | Number | bool | None], Field(min_length=1, max_length=100)]
NAMED: Final[dict[str, Any]] = {"additionalProperties": False, "propertyNames": {"minLength": 1, "maxLength": 200}}
"""What the published schema says of an object whose members are named by texts, beside their pattern."""
Conditions = Annotated[dict[Name, OneOf], Field(max_length=20, json_schema_extra=NAMED)]
PolicyName = Literal["standard", "complaint"]
PriorityName = Literal["low", "normal", "high", "urgent"]


class Message(BaseModel):
    """A part of a trial."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class StagesMessage(Message):
    """Other stages in a pipeline."""

    pipeline: Name | None = None
    """Its id or its name; every pipeline that has one of the stages, unless given."""
    count_as: Annotated[dict[Name, Name], Field(max_length=100, json_schema_extra=NAMED)] = Field(default_factory=dict[str, str])
    """By stage, the one that it counts as: one that is there, into which it is merged, or a new name."""
    order: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None
    """All stages in their order, by the names that they have then."""
    probability: Annotated[dict[Name, Percent], Field(max_length=100, json_schema_extra=NAMED)] = Field(default_factory=dict[str, int])
    """By stage, how likely it is that deals there are won, in per cent."""

    def change(self) -> StageChange:
        """As the trial has it."""
        return StageChange(pipeline=self.pipeline, count_as=self.count_as, order=self.order, probability=self.probability)


class PromiseMessage(Message):
    """How soon: a whole number and s, m, h or d (`90m`), as long as the clock runs."""

    first_response: Span | None = None
    resolution: Span | None = None


class SourceMessage(Message):
    """Events that say something to a column."""

    events: Annotated[list[Name], Field(min_length=1, max_length=100)]
    """Their types, such as `opportunity.won`."""
    field: Name | None = None
    """The field whose value is taken; `@occurred_at` and the like are parts of the envelope."""
    value: Name | Number | bool | None = None
    """The value, where it is always the same."""
    when: Conditions = Field(default_factory=dict[str, OneOf])
    """By field, the values that it must have one of."""
    unless: Conditions = Field(default_factory=dict[str, OneOf])
    """By field, the values that it must have none of."""
    key: Annotated[list[Name], Field(min_length=1, max_length=10)] | None = None
    """What the row's key is taken from, where that is not the read model's own."""
    minus: bool = False
    """Whether a total or tally is lessened."""

    def said(self) -> SourceSaid:
        """As the declaration has it."""
        given: dict[str, Any] = {name: getattr(self, name) for name in ("events", "field", "value", "when", "unless", "key", "minus")}
        return SourceSaid(**given)


class ColumnMessage(SourceMessage):
    """A column: the rule by which it combines what events say."""

    rule: Literal["first", "latest", "earliest", "newest", "total", "distinct", "tally"]
    order: Literal["position", "occurred_at"] = Order.POSITION.value
    """What makes one event later than another, for `first` and `latest`."""
    also: Annotated[list[SourceMessage], Field(max_length=50)] = Field(default_factory=list[SourceMessage])
    """More events that say something to it."""

    def column(self) -> ColumnSaid:
        """As the declaration has it."""
        return ColumnSaid(rule=self.rule, order=self.order, sources=[self.said(), *(each.said() for each in self.also)])


class FoldMessage(Message):
    """A further read model, declared as those of Daybook are."""

    key: (
        Annotated[dict[Identifier, Name], Field(min_length=1, max_length=10, json_schema_extra=NAMED)]
        | Annotated[list[Identifier], Field(min_length=1, max_length=10)]
    )
    """The key columns, by name what they are taken from; a list where these are the same."""
    columns: Annotated[dict[Identifier, ColumnMessage], Field(min_length=1, max_length=50, json_schema_extra=NAMED)]


class FunnelMessage(Message):
    """Which deals the funnels count: those opened from `since` up to but without `until`."""

    since: Annotated[date, Field(strict=False)] | None = None
    until: Annotated[date, Field(strict=False)] | None = None

    @field_validator("since", "until", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        if value is not None and (not isinstance(value, str) or len(value) != len("2026-01-31")):
            raise ValueError("give a day as YYYY-MM-DD")
        return value


class TrialMessage(Message):
    """What is to be tried."""

    stages: Annotated[list[StagesMessage], Field(max_length=50)] = Field(default_factory=list[StagesMessage])
    """Other stages or probabilities; several of one pipeline are made one after the other."""
    targets: dict[PolicyName, dict[PriorityName, PromiseMessage]] = Field(
        default_factory=dict[PolicyName, dict[PriorityName, PromiseMessage]]
    )
    """Other service targets, by policy and priority; what is not named stays as it was promised."""
    folds: Annotated[dict[Identifier, FoldMessage], Field(max_length=5, json_schema_extra=NAMED)] = Field(
        default_factory=dict[str, FoldMessage]
    )
    """Further read models, by name."""
    funnel: FunnelMessage = Field(default_factory=FunnelMessage)
    rows: RowCount = 100
    """How many rows of a further read model are answered."""

    def trial(self) -> Trial:
        """As it is made. Raises TrialRefused."""
        return Trial(
            stages=[each.change() for each in self.stages],
            promises=list(self._promises()),
            folds=[
                declared(name, _key(said.key), {column: each.column() for column, each in said.columns.items()})
                for name, said in self.folds.items()
            ],
            since=self.funnel.since,
            until=self.funnel.until,
            rows=self.rows,
        )

    def _promises(self) -> Sequence[Promise]:
        return [
            Promise(policy=policy, priority=priority, kind=kind, seconds=int(span[:-1]) * SECONDS[span[-1]])
            for policy, priorities in self.targets.items()
            for priority, said in priorities.items()
            for kind in KINDS
            if (span := getattr(said, kind)) is not None
        ]


def _key(said: Mapping[str, str] | Sequence[str]) -> Mapping[str, str]:
    return said if isinstance(said, Mapping) else {name: name for name in said}


Cell = int | float | str | bool | list[str] | None


class ComparedRow(BaseModel):
    """One row; amounts are text."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    key: list[Cell]
    old: dict[str, Cell] | None
    """As it is; null where there is no such row today."""
    new: dict[str, Cell] | None
    """As it would be; null where there would be no such row."""
    difference: dict[str, Cell]
    """New less old, where both are numbers."""


class ComparedFigure(BaseModel):
    """A figure as it is and as it would be."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str
    """`funnel`, `weighted`, `targets`, or the name of a further read model."""
    about: str | None
    """The pipeline that it is about."""
    key: list[str]
    figures: list[str]
    rows: list[ComparedRow]
    rows_in_all: int


class WhatIfBody(BaseModel):
    """What a trial came to."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    position: int
    """Everything up to this position was folded again."""
    at: datetime
    """What counts as now, for what is overdue."""
    currency: str
    comparisons: list[ComparedFigure]


def whatif_routes(reading: Reading) -> APIRouter:
    """The route for trials; one is made at a time."""
    router = APIRouter(tags=["going back"])
    daybook = reading.daybook
    seconds = daybook.settings.whatif_seconds
    turn = threading.Lock()

    @router.post("/v1/whatif", response_model=WhatIfBody, responses=responses(400, 404, 409, 413, 422, 503))
    def what_if(message: TrialMessage, wanted: Annotated[ReadParameters, Query()]) -> Response:
        """Fold all history again under other stages, probabilities, service targets or read models, and compare; nothing that serves changes."""
        trial = message.trial()
        if not turn.acquire(timeout=seconds):
            raise Unavailable("whatif.busy", "another trial is being made; ask again later")
        try:
            with reading.facts(wanted, trial.reads or ALWAYS_READ) as today:
                only, now = wanted.moment.condition, reading.now(wanted)
                outcome = try_out(trial, today, daybook.history, seconds=seconds, now=now, only=only)
        finally:
            turn.release()
        body = {
            "position": outcome.position,
            "at": canonical_instant(outcome.now),
            "currency": daybook.settings.base_currency,
            "comparisons": [asdict(each) for each in outcome.comparisons],
        }
        return answer(body, outcome.position)

    return router
