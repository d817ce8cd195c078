"""The waterfall told event by event in plain Python: what the question in SQL must agree with, computed another way."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from domain.envelope import StoredEvent
from readmodels.waterfall import Bar, By, Clock, Question

STATUS = {
    "opportunity.opened": "open",
    "opportunity.stage_changed": "open",
    "opportunity.reopened": "open",
    "opportunity.won": "won",
    "opportunity.lost": "lost",
}


@dataclass(frozen=True)
class State:
    """A deal after some of its events."""

    pipeline: str | None = None
    status: str | None = None
    worth: Decimal = Decimal(0)
    owner: str | None = None
    team: str | None = None
    close: date | None = None


@dataclass(frozen=True)
class Entry:
    """What one deal adds to one bar of one group by one event (at the opening and the closing, by none)."""

    group: str | None
    bar: Bar
    deal: str
    position: int | None
    value: Decimal


def day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def state_after(events: Iterable[StoredEvent]) -> State:
    """Go through events in the order in which they were recorded."""
    state = State()
    for event in sorted(events, key=lambda event: event.position):
        data = event.data
        if event.type in STATUS:
            state = replace(state, status=STATUS[event.type])
        if event.type == "opportunity.opened":
            state = replace(state, pipeline=data["pipeline_id"], close=day(data["expected_close_on"]))
        if event.type in ("opportunity.opened", "opportunity.amount_changed"):
            state = replace(state, worth=Decimal(data["base_amount"]))
        if event.type in ("opportunity.opened", "opportunity.assigned"):
            state = replace(state, owner=data["owner_id"], team=data["team"])
        if event.type == "opportunity.close_date_moved":
            state = replace(state, close=day(data["expected_close_on"]))
    return state


def entries(events: Iterable[StoredEvent], question: Question) -> list[Entry]:
    """Every entry that the answer must be made of."""
    by_deal: dict[str, list[StoredEvent]] = defaultdict(list)
    for event in events:
        if event.type.startswith("opportunity."):
            by_deal[event.data["opportunity_id"]].append(event)
    return [entry for deal, told in by_deal.items() for entry in _entries_of(deal, told, question)]


def _entries_of(deal: str, told: Sequence[StoredEvent], question: Question) -> list[Entry]:
    def at(event: StoredEvent) -> datetime:
        text = event.occurred_at if question.clock is Clock.HAPPENED else event.recorded_at
        return datetime.fromisoformat(text).astimezone(UTC)

    in_time = sorted((event for event in told if question.until is None or at(event) < question.until), key=lambda e: (at(e), e.position))
    found: list[Entry] = []
    past = [event for event in in_time if at(event) < question.since]
    before = state_after(past)
    if is_in(before, question):
        found.append(Entry(group(before, question), Bar.OPENING, deal, None, before.worth))
    for event in in_time[len(past) :]:
        past.append(event)
        after = state_after(past)
        found += [Entry(of, bar, deal, event.position, value) for of, bar, value in _moves(before, after, question)]
        before = after
    if is_in(before, question):
        found.append(Entry(group(before, question), Bar.CLOSING, deal, None, before.worth))
    return found


def is_open(state: State) -> bool:
    return state.pipeline is not None and state.status == "open"


def expected_then(state: State, question: Question) -> bool:
    if question.closing_from is None and question.closing_until is None:
        return True
    if state.close is None:
        return False
    return (question.closing_from or date.min) <= state.close < (question.closing_until or date.max)


def is_in(state: State, question: Question) -> bool:
    """Whether the deal counts."""
    wanted = [(question.pipeline_id, state.pipeline), (question.owner_id, state.owner), (question.team, state.team)]
    return is_open(state) and expected_then(state, question) and all(want in (None, have) for want, have in wanted)


def group(state: State, question: Question) -> str | None:
    return {By.NOTHING: None, By.OWNER: state.owner, By.TEAM: state.team, By.PIPELINE: state.pipeline}[question.by]


def _moves(before: State, after: State, question: Question) -> Iterable[tuple[str | None, Bar, Decimal]]:
    was, now = is_in(before, question), is_in(after, question)
    old, new = group(before, question), group(after, question)
    if was and now and old == new:
        if after.worth != before.worth:
            yield old, Bar.UP if after.worth > before.worth else Bar.DOWN, after.worth - before.worth
        return
    if was:
        yield old, _left(after, question), -before.worth
    if now:
        yield new, _came(before, question), after.worth


def _left(after: State, question: Question) -> Bar:
    if after.status != "open":
        return Bar(str(after.status))
    return Bar.TRANSFERRED_OUT if expected_then(after, question) else Bar.PUSHED_OUT


def _came(before: State, question: Question) -> Bar:
    if before.pipeline is None:
        return Bar.NEW
    if before.status != "open":
        return Bar.REOPENED
    return Bar.TRANSFERRED_IN if expected_then(before, question) else Bar.PULLED_IN
