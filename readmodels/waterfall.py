"""How the open pipeline changed between two moments: opening, what came, what went, closing; it adds up to the cent.

Computed from events afterwards. A deal's state at a moment is what the events until then make of it, and each event between the two
moments that changes what the deal adds to the pipeline is put down to one bar. The definitions are in docs/figures.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from domain.errors import NotFound
from readmodels.asking import Facts, Row
from readmodels.waterfall_sql import BARS, DEALS, LATEST, SEAT

FOLDS: Final = ("opportunity_changes", "pipelines")
"""The facts that the bars are asked of."""
FOLDS_OF_DEALS: Final = ("opportunities", *FOLDS)
"""The facts that the deals behind a bar are asked of."""


class By(StrEnum):
    """What a waterfall can be broken down by; owner and team are those at each moment."""

    NOTHING = "nothing"
    OWNER = "owner"
    TEAM = "team"
    PIPELINE = "pipeline"


class Clock(StrEnum):
    """Which clock the two moments are read from."""

    HAPPENED = "happened"
    """What had happened by then, by what we know."""
    RECORDED = "recorded"
    """What we had been told by then, as a report made at that time would show."""


class Bar(StrEnum):
    """Why the pipeline changed, in the order in which the bars stand."""

    OPENING = "opening"
    NEW = "new"
    REOPENED = "reopened"
    UP = "up"
    DOWN = "down"
    PULLED_IN = "pulled_in"
    PUSHED_OUT = "pushed_out"
    TRANSFERRED_IN = "transferred_in"
    TRANSFERRED_OUT = "transferred_out"
    WON = "won"
    LOST = "lost"
    CLOSING = "closing"


COMING: Final = (Bar.OPENING, Bar.NEW, Bar.REOPENED, Bar.PULLED_IN, Bar.TRANSFERRED_IN)
"""Bars whose deals come into the pipeline."""
GOING: Final = (Bar.PUSHED_OUT, Bar.TRANSFERRED_OUT, Bar.WON, Bar.LOST)
"""Bars whose deals leave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which change is asked for: events from `since` up to but without `until` (None: up to now); filters that are None take all.

    With `closing_from` and `closing_until` (without that day) only deals count that are expected to close then.
    """

    since: datetime
    until: datetime | None = None
    clock: Clock = Clock.HAPPENED
    by: By = By.NOTHING
    pipeline_id: str | None = None
    owner_id: str | None = None
    team: str | None = None
    closing_from: date | None = None
    closing_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bar. `value` is signed: all but that of the closing add up to the closing's."""

    bar: Bar
    value: Decimal
    level: Decimal
    """What the pipeline stands at after it."""
    times: int
    """How often it happened; those of coming bars less those of going ones make those of the closing."""
    deals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """The change of one group's pipeline; `label` is what people call the group."""

    group: str | None
    label: str | None
    steps: list[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What one deal adds to a bar, and the positions of the events that made it do so (none at the opening and the closing)."""

    opportunity_id: str
    name: str | None
    customer_id: str | None
    group: str | None
    value: Decimal
    times: int
    positions: list[int]


_GROUPS: Final = {By.NOTHING: "NULL", By.OWNER: "seat.owner_id", By.TEAM: "seat.team", By.PIPELINE: "pipeline_id"}
_CLOCKS: Final = {Clock.HAPPENED: "occurred_at", Clock.RECORDED: "recorded_at"}
_FILTERS: Final = {"pipeline_id": "pipeline_id = $pipeline_id", "owner_id": "seat.owner_id = $owner_id", "team": "seat.team = $team"}
_WINDOW: Final = {"closing_from": "expected_close_on >= $closing_from", "closing_until": "expected_close_on < $closing_until"}
_PIPELINES: Final = "SELECT pipeline_id::VARCHAR AS pipeline_id, name FROM pipelines"
_BEYOND: Final = (
    """(-abs(f.value), f.opportunity_id, coalesce(f."group", '')) > (-($value::DECIMAL(38,4)), $opportunity_id::UUID, $last_group)"""
)


def quarter_of(at: datetime) -> datetime:
    """The beginning of the calendar quarter, UTC, that `at` lies in."""
    at = at.astimezone(UTC)
    return datetime(at.year, at.month - (at.month - 1) % 3, 1, tzinfo=UTC)


def needs(question: Question) -> Mapping[str, Sequence[str]]:
    """The facts that the bars of this question are asked of, and which of their columns."""
    columns = [name for column in _state(question) for name in (("owner_id", "team") if column == "seat" else (column,))]
    labels = {"pipelines": ("name",)} if _has_labels(question) else {}
    return {"opportunity_changes": ("opportunity_id", _CLOCKS[question.clock], *columns), **labels}


def needs_of_deals(question: Question) -> Mapping[str, Sequence[str]]:
    """The same for the deals behind a bar."""
    return {"opportunities": ("name", "customer_id"), **needs(question)}


def waterfalls(facts: Facts, question: Question) -> list[Waterfall]:
    """The change of the pipeline by group; without a breakdown there is always one. Raises NotFound `pipeline.unknown`."""
    labels = _labels(facts, question)
    groups: dict[str | None, dict[str, Row]] = {None: {}} if question.by is By.NOTHING else {}
    for row in facts.rows(BARS.format(**_pieces(question)), _parameters(question)):
        groups.setdefault(row["group"], {})[row["bar"]] = row
    return [Waterfall(group=group, label=labels.get(group, group), steps=_steps(rows)) for group, rows in groups.items()]


def bar_shown(facts: Facts, question: Question, bar: Bar, group: str | None) -> Decimal:
    """The value of one bar of one group. Raises NotFound `pipeline.unknown` or `bar.unknown`."""
    found = next((each for each in waterfalls(facts, question) if each.group == group), None)
    if found is None:
        raise NotFound("bar.unknown", f"that waterfall has no {f'group {group}' if group else 'group without a name'}")
    return next(step.value for step in found.steps if step.bar is bar)


def deals_behind(
    facts: Facts,
    question: Question,
    bar: Bar,
    *,
    groups: Sequence[str | None] | None = None,
    limit: int | None = None,
    after: Sequence[Any] = (),
) -> list[Deal]:
    """The deals behind a bar, of all groups or of some, the largest first; their values add up to the bar's.

    At most `limit`, beyond the place `after` (see `place`). Raises NotFound `pipeline.unknown`.
    """
    _labels(facts, question)
    given: dict[str, Any] = {"bar": bar.value, "limit": limit}
    of_group = "TRUE"
    if groups is not None:
        given["groups"] = [group for group in groups if group is not None]
        of_group = "(list_contains($groups, grp::VARCHAR)" + (" OR grp IS NULL)" if None in groups else ")")
    if after:
        given |= dict(zip(("value", "opportunity_id", "last_group"), after, strict=True))
    sql = DEALS.format(**_pieces(question), of_group=of_group, beyond=_BEYOND if after else "TRUE")
    return [Deal(**row) for row in facts.rows(sql, _parameters(question) | given)]


def place(deal: Deal) -> list[str | int]:
    """The place of a deal in the order of `deals_behind`."""
    return [str(abs(deal.value)), deal.opportunity_id, deal.group or ""]


def _labels(facts: Facts, question: Question) -> Mapping[str | None, str]:
    """The names of the groups that have one. Raises NotFound `pipeline.unknown`."""
    if not _has_labels(question):
        return {}
    names: dict[str | None, str] = {row["pipeline_id"]: row["name"] for row in facts.rows(_PIPELINES, {})}
    if question.pipeline_id is not None and question.pipeline_id not in names:
        raise NotFound("pipeline.unknown", f"there is no pipeline {question.pipeline_id}")
    return names if question.by is By.PIPELINE else {}


def _has_labels(question: Question) -> bool:
    return question.pipeline_id is not None or question.by is By.PIPELINE


def _steps(rows: Mapping[str, Row]) -> list[Step]:
    steps: list[Step] = []
    level = Decimal(0)
    for bar in Bar:
        row = rows.get(bar, {"value": Decimal(0), "times": 0, "deals": 0})
        level = row["value"] if bar is Bar.CLOSING else level + row["value"]
        steps.append(Step(bar=bar, value=row["value"], level=level, times=row["times"], deals=row["deals"]))
    return steps


def _state(question: Question) -> list[str]:
    """What has to be known of a deal at each moment."""
    closing = ["expected_close_on"] if _given(question, _WINDOW) else []
    seat = ["seat"] if "seat." in _GROUPS[question.by] + _all_of(question, _FILTERS) else []
    return ["pipeline_id", "status", "base_amount", *closing, *seat]


def _pieces(question: Question) -> dict[str, str]:
    columns = _state(question)
    return {
        "said": ", ".join(SEAT if column == "seat" else column for column in columns),
        "state": ", ".join(LATEST.format(column=column, past="") for column in columns),
        "state_by_then": ", ".join(LATEST.format(column=column, past="OVER past") for column in columns),
        "clock": _CLOCKS[question.clock],
        "group": _GROUPS[question.by],
        "filters": _all_of(question, _FILTERS),
        "window": _all_of(question, _WINDOW),
    }


def _all_of(question: Question, conditions: Mapping[str, str]) -> str:
    return " AND ".join(conditions[name] for name in _given(question, conditions)) or "TRUE"


def _given(question: Question, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(question, name)) is not None}


def _parameters(question: Question) -> dict[str, Any]:
    since = question.since.astimezone(UTC).replace(tzinfo=None)
    until = question.until.astimezone(UTC).replace(tzinfo=None) if question.until else None
    return {"since": since, "until": until, **_given(question, (*_FILTERS, *_WINDOW))}
