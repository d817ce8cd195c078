"""Deals told event by event in plain Python: what the funnel must agree with, computed another way."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from domain.envelope import StoredEvent
from readmodels.funnel import By, Question, View

DAY = timedelta(days=1)
MOVES = {"opportunity.opened": "open", "opportunity.stage_changed": "open", "opportunity.reopened": "open"}
CLOSINGS = {"opportunity.won": "won", "opportunity.lost": "lost"}


@dataclass
class Stay:
    """A deal in a stage."""

    stage: str
    came: datetime
    worth: Decimal
    left: datetime | None = None
    to_status: str | None = None
    backward: bool = False

    @property
    def days(self) -> float:
        assert self.left is not None
        return max(timedelta(0), self.left - self.came) / DAY


@dataclass
class Deal:
    """A deal as its events tell it."""

    customer: str
    pipeline: str
    owner: str
    team: str | None
    source: str | None
    worth: Decimal
    opened: datetime
    status: str = "open"
    closed: datetime | None = None
    stays: list[Stay] = field(default_factory=list[Stay])
    lines: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def stage(self) -> str:
        return self.stays[-1].stage


@dataclass
class Told:
    """Everything that the events tell."""

    deals: dict[str, Deal] = field(default_factory=dict[str, Deal])
    industry: dict[str, str | None] = field(default_factory=dict[str, str | None])
    tier: dict[str, str | None] = field(default_factory=dict[str, str | None])
    stages: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    status: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    retired: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def told(events: Iterable[StoredEvent]) -> Told:
    """Go through the events one by one."""
    book = Told()
    for event in events:
        if event.type.startswith("opportunity."):
            _tell_deal(book.deals, event)
        elif event.type.startswith("pipeline."):
            _tell_pipeline(book, event.type, event.data)
        elif event.type == "customer.classified":
            book.industry[event.data["customer_id"]] = event.data["industry"]
            book.tier[event.data["customer_id"]] = event.data["tier"]
    return book


def _tell_pipeline(book: Told, event_type: str, data: Any) -> None:
    stages = book.stages.setdefault(data["pipeline_id"], [])
    if event_type == "pipeline.stage_added":
        stages.insert(data["place"], data["stage"])
        book.status[data["pipeline_id"], data["stage"]] = data["status"]
    elif event_type == "pipeline.stage_moved":
        stages.remove(data["stage"])
        stages.insert(data["place"], data["stage"])
    elif event_type == "pipeline.stage_retired":
        book.retired.add((data["pipeline_id"], data["stage"]))


def _tell_deal(deals: dict[str, Deal], event: StoredEvent) -> None:
    data, at = event.data, moment(event.occurred_at)
    if event.type == "opportunity.opened":
        worth = Decimal(data["base_amount"])
        deal = Deal(data["customer_id"], data["pipeline_id"], data["owner_id"], data["team"], data["lead_source"], worth, at)
        deal.stays.append(Stay(data["stage"], at, worth))
        deals[data["opportunity_id"]] = deal
        return
    deal = deals[data["opportunity_id"]]
    if event.type in MOVES or event.type in CLOSINGS:
        deal.status = MOVES.get(event.type) or CLOSINGS[event.type]
        deal.closed = at if event.type in CLOSINGS else None
        deal.stays[-1].left, deal.stays[-1].to_status, deal.stays[-1].backward = at, deal.status, data["backward"]
        deal.stays.append(Stay(data["to_stage"], at, Decimal(data["base_amount"])))
    elif event.type == "opportunity.amount_changed":
        deal.worth = Decimal(data["base_amount"])
    elif event.type == "opportunity.assigned":
        deal.owner, deal.team = data["owner_id"], data["team"]
    elif event.type == "opportunity.line_removed":
        del deal.lines[data["line_id"]]
    elif event.type.startswith("opportunity.line"):
        deal.lines[data["line_id"]] = data["product"]


PERIODS: dict[By, Callable[[datetime], str]] = {
    By.MONTH: lambda at: f"{at:%Y-%m}",
    By.QUARTER: lambda at: f"{at.year}-Q{(at.month + 2) // 3}",
    By.YEAR: lambda at: str(at.year),
}


def groups(book: Told, by: By, deal: Deal, at: datetime | None) -> Sequence[str | None]:
    """The groups that a deal belongs to by what happened at `at`."""
    match by:
        case By.NOTHING:
            return [None]
        case By.OWNER:
            return [deal.owner]
        case By.TEAM:
            return [deal.team]
        case By.SEGMENT:
            return [book.industry.get(deal.customer)]
        case By.TIER:
            return [book.tier.get(deal.customer)]
        case By.SOURCE:
            return [deal.source]
        case By.PRODUCT:
            return list(set(deal.lines.values())) or [None]
        case By.OUTCOME:
            return [deal.status]
        case _:
            assert at is not None
            return [PERIODS[by](at)]


def chosen(book: Told, question: Question) -> list[Deal]:
    """The deals that the filters let through."""
    return [
        deal
        for deal in book.deals.values()
        if deal.pipeline == question.pipeline_id
        and question.owner_id in (None, deal.owner)
        and question.team in (None, deal.team)
        and question.segment in (None, book.industry.get(deal.customer))
        and question.source in (None, deal.source)
        and (question.product is None or question.product in deal.lines.values())
    ]


def within(question: Question, at: datetime | None) -> bool:
    """Whether it happened in the period."""
    midnight: Callable[[date], datetime] = lambda day: datetime.fromisoformat(f"{day}T00:00:00+00:00")  # noqa: E731
    return (
        at is not None
        and (question.since is None or at >= midnight(question.since))
        and (question.until is None or at < midnight(question.until))
    )


def quantile(values: list[float], share: float) -> float | None:
    """The quantile with linear interpolation between the two nearest values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def expected(book: Told, question: Question) -> dict[tuple[str | None, str], dict[str, Any]]:
    """What each stage of each group must say."""
    rows = (_cohort if question.view is View.COHORT else _activity)(book, question)
    assert question.pipeline_id is not None
    seen = {stage for (_, stage), row in rows.items() if row.pop("seen")}
    return {key: row for key, row in rows.items() if (question.pipeline_id, key[1]) not in book.retired or key[1] in seen}


def _cohort(book: Told, question: Question) -> dict[tuple[str | None, str], dict[str, Any]]:
    assert question.pipeline_id is not None
    ladder = book.stages[question.pipeline_id]
    is_a = {stage: book.status[question.pipeline_id, stage] for stage in ladder}
    by_group: dict[str | None, list[Deal]] = defaultdict(list)
    for deal in chosen(book, question):
        if within(question, deal.opened):
            for group in groups(book, question.by, deal, deal.opened):
                by_group[group].append(deal)
    rows: dict[tuple[str | None, str], dict[str, Any]] = {}
    for group, deals in by_group.items():
        for place, stage in enumerate(ladder):
            is_open = is_a[stage] == "open"
            there = [deal for deal in deals if any(stay.stage == stage for stay in deal.stays)]
            beyond = [deal for deal in deals if _came(deal, ladder[place + 1 :], is_a)]
            reached = [deal for deal in deals if _came(deal, ladder[place:], is_a)] if is_open else there
            here = [deal for deal in deals if deal.stage == stage]
            days = [sum(stay.days for stay in stays) for deal in there if (stays := [s for s in deal.stays if s.stage == stage and s.left])]
            lost = [d for d in deals if d.status == "lost" and [s.stage for s in d.stays if is_a[s.stage] == "open"][-1:] == [stage]]
            rows[group, stage] = {
                "status": is_a[stage],
                "reached": len(reached),
                "visited": len(there),
                "converted": len(beyond) if is_open else 0,
                "lost_from": len(lost),
                "now_in": len(here),
                "value": sum((deal.worth for deal in reached), Decimal(0)),
                "now_value": sum((deal.worth for deal in here), Decimal(0)),
                "step_rate": ratio(len(beyond), len(reached)) if is_open else None,
                "overall_rate": len(reached) / len(deals),
                "median_days": quantile(days, 0.5),
                "p90_days": quantile(days, 0.9),
                "back_moves": sum(stay.backward for deal in deals for stay in deal.stays if stay.stage == stage),
                "seen": bool(there),
            }
    return rows


def _came(deal: Deal, stages: Iterable[str], is_a: dict[str, str]) -> bool:
    """Whether the deal was in one of these open stages, or was won at any time."""
    wanted = {stage for stage in stages if is_a[stage] == "open"}
    return any(stay.stage in wanted or is_a[stay.stage] == "won" for stay in deal.stays)


def _activity(book: Told, question: Question) -> dict[tuple[str | None, str], dict[str, Any]]:
    assert question.pipeline_id is not None
    came: dict[Hashable, list[tuple[Deal, list[Stay]]]] = defaultdict(list)
    went: dict[Hashable, list[list[Stay]]] = defaultdict(list)
    for deal in chosen(book, question):
        entered, left = defaultdict[Hashable, list[Stay]](list), defaultdict[Hashable, list[Stay]](list)
        for stay in deal.stays:
            for store, at in ((entered, stay.came), (left, stay.left)):
                if within(question, at):
                    for group in groups(book, question.by, deal, at):
                        store[group, stay.stage].append(stay)
        for key, stays in entered.items():
            came[key].append((deal, stays))
        for key, stays in left.items():
            went[key].append(stays)
    everybody = {key[0] for key in (*came, *went)}  # type: ignore[index]
    return {
        (group, stage): _moved(book.status[question.pipeline_id, stage] == "open", came[group, stage], went[group, stage])
        | {"status": book.status[question.pipeline_id, stage]}
        for group in everybody
        for stage in book.stages[question.pipeline_id]
    }


def _moved(is_open: bool, came: list[tuple[Deal, list[Stay]]], went: list[list[Stay]]) -> dict[str, Any]:  # noqa: FBT001
    here = [deal for deal, stays in came if stays[-1] is deal.stays[-1]]
    lost = [stays for stays in went if stays[-1].to_status == "lost"]
    onward = [stays for stays in went if stays[-1].to_status != "lost" and not stays[-1].backward]
    days = [sum(stay.days for stay in stays) for stays in went]
    return {
        "reached": len(came),
        "visited": len(came),
        "converted": len(onward) if is_open else 0,
        "lost_from": len(lost) if is_open else 0,
        "now_in": len(here),
        "value": sum((stays[-1].worth for _, stays in came), Decimal(0)),
        "now_value": sum((deal.worth for deal in here), Decimal(0)),
        "step_rate": ratio(len(onward), len(went)) if is_open else None,
        "overall_rate": None,
        "median_days": quantile(days, 0.5),
        "p90_days": quantile(days, 0.9),
        "back_moves": sum(stay.backward for stays in went for stay in stays),
        "seen": bool(came or went),
    }


def expected_totals(book: Told, question: Question) -> dict[str | None, dict[str, Any]]:
    """What each group's totals must say."""
    opened, closed = defaultdict[Any, list[Deal]](list), defaultdict[Any, list[Deal]](list)
    for deal in chosen(book, question):
        if within(question, deal.opened):
            for group in groups(book, question.by, deal, deal.opened):
                opened[group].append(deal)
        at = deal.opened if question.view is View.COHORT else deal.closed
        if deal.status != "open" and within(question, at):
            for group in groups(book, question.by, deal, at):
                closed[group].append(deal)
    return {group: _totals(opened[group], closed[group]) for group in {*opened, *closed}}


def _totals(opened: list[Deal], closed: list[Deal]) -> dict[str, Any]:
    still = [deal for deal in opened if deal.status == "open"]
    won, lost = [d for d in closed if d.status == "won"], [d for d in closed if d.status == "lost"]
    return {
        "opened": len(opened),
        "open": len(still),
        "won": len(won),
        "lost": len(lost),
        "open_value": worth(still),
        "won_value": worth(won),
        "lost_value": worth(lost),
        "win_rate": ratio(len(won), len(closed)),
        "median_days_to_close": length(closed),
        "median_days_to_win": length(won),
        "median_days_to_lose": length(lost),
    }


def worth(deals: Iterable[Deal]) -> Decimal:
    return sum((deal.worth for deal in deals), Decimal(0))


def length(deals: Iterable[Deal]) -> float | None:
    """The median of days from opening to closing."""
    days = [max(timedelta(0), deal.closed - deal.opened) / DAY for deal in deals if deal.closed]
    return median(days) if days else None


def same(found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Where two rows differ; floating-point numbers may differ in their last digits."""
    for name, value in wanted.items():
        other = found[name]
        if isinstance(value, float) and isinstance(other, float):
            if abs(value - other) > 1e-9 * max(1.0, abs(value)):
                yield f"{name}: {other} is not {value}"
        elif value != other:
            yield f"{name}: {other} is not {value}"
