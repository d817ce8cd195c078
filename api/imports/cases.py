"""Event logs: cases whose events happen one after the other, each making the commands of its activity."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from api.imports.conditions import hold
from api.imports.errors import RowRefused
from api.imports.expressions import Scope, Template
from api.imports.intake import Intake
from api.imports.lookups import Lookups, facts_of
from api.imports.making import Made, Maker, Refused, moment
from api.imports.mapping import Activity, Cases, CommandTemplate
from api.imports.sources import BadRow, Row
from api.imports.spill import Event, Placed, in_order
from api.imports.times import written
from commands.order import Order

COMPLETE = "complete"
"""The lifecycle transition of an event that names none."""


class CasesPart:
    """One `[[cases]]` of a mapping at work."""

    def __init__(self, cases: Cases, intake: Intake, lookups: Lookups, maker: Maker) -> None:
        self._cases = cases
        self._intake = intake
        self._lookups = lookups
        self._maker = maker
        self._terms = intake.plan.terms[cases.file]
        xes = intake.plan.files[cases.file].is_xes
        self._columns = {role: cases.column(role, xes=xes) for role in ("case", "activity", "time", "resource", "lifecycle")}
        self._alike: dict[str, Counter[str]] = {}

    def made(self) -> Iterator[Made]:
        """What each event makes (or each case, where cases stay together), case by case or by time."""
        bad: list[Made] = []
        by_time = "time" in (self._cases.order, self._intake.plan.order)
        placed = in_order(self._events(bad), "time" if by_time and self._cases.together == "event" else "case")
        if self._cases.together == "case":
            for _, events in groupby(placed, key=lambda each: each.event.case):
                yield self._together([(each, self._make(each)) for each in events])
        else:
            yield from map(self._make, placed)
        yield from bad

    def _events(self, bad: list[Made]) -> Iterator[Event]:
        for each in self._intake.rows(self._cases.file):
            if isinstance(each, BadRow):
                bad.append(Made(each.row, refused=Refused(each.code, each.message)))
                continue
            try:
                events = list(self._events_of(each))
            except RowRefused as error:
                bad.append(Made(each, refused=Refused(error.code, error.message)))
                continue
            if not events:
                bad.append(Made(each))
            yield from events

    def _events_of(self, row: Row) -> Iterator[Event]:
        scope = Scope(self._lookups.row(self._cases.lookups, row, self._terms), facts_of(row), self._terms)
        if not hold(self._cases.when, scope):
            return
        self._lookups.require(self._cases.lookups, row, scope.row, self._terms)
        case = self._said("case", scope)
        resource = template.text(scope) if (template := self._columns["resource"]) else None
        if self._cases.wide:
            for each in self._cases.wide:
                at = moment(each.time, scope)
                if at is not None:
                    yield Event(row, at, case, each.activity, resource, COMPLETE)
            return
        time = self._columns["time"]
        at = moment(time, scope) if time is not None else None
        if at is None:
            raise RowRefused("time.missing", f"{time.source if time else 'time'} is empty, so nothing says when it happened")
        lifecycle = template.text(scope) if (template := self._columns["lifecycle"]) else None
        yield Event(row, at, case, self._said("activity", scope), resource, (lifecycle or COMPLETE).lower())

    def _said(self, role: str, scope: Scope) -> str:
        template: Template | None = self._columns[role]
        text = template.key(scope) if template is not None else None
        if text is None:
            raise RowRefused(f"{role}.empty", f"{template.source if template else role} is empty, so the event has no {role}")
        return text

    def _make(self, placed: Placed) -> Made:
        event = placed.event
        try:
            return Made(event.row, tuple(self._orders(placed)), at=event.at)
        except RowRefused as error:
            return Made(event.row, refused=Refused(error.code, error.message), at=event.at)

    def _orders(self, placed: Placed) -> Iterator[Order]:
        event = placed.event
        scope = Scope(self._lookups.row(self._cases.lookups, event.row, self._terms), _facts(placed), self._terms)
        event_id = self._event_id(placed, scope)
        if placed.number == 1:
            yield from self._maker.orders(self._cases.label, event.case, self._cases.opening, scope, placed.first, "opening/")
        yield from self._maker.orders(self._cases.label, event_id, self._commands(event, scope), scope, event.at)
        if placed.number == placed.of:
            yield from self._maker.orders(self._cases.label, event.case, self._cases.ending, scope, placed.last, "ending/")

    def _event_id(self, placed: Placed, scope: Scope) -> str:
        """What tells the event apart, also in a longer export of the same log: its own id, or case, time, activity and how many such before."""
        event = placed.event
        if self._cases.id is not None:
            said = self._cases.id.key(scope)
            if said is None:
                raise RowRefused("key.empty", f"{self._cases.id.source} is empty, so nothing identifies the event")
            return f"{event.case}/{said}"
        alike = self._alike.setdefault(event.case, Counter())
        name = f"{event.case}/{written(event.at)}/{event.activity}/{event.lifecycle}"
        alike[name] += 1
        number = alike[name]
        if placed.number == placed.of:
            del self._alike[event.case]
        return f"{name}/{number}"

    def _commands(self, event: Event, scope: Scope) -> Sequence[CommandTemplate]:
        for activity in self._cases.activities:
            if _matches(activity, event) and hold(activity.when, scope):
                return activity.commands
        if self._cases.otherwise is None:
            raise RowRefused(
                "activity.not_mapped", f"no entry of `activities` takes “{event.activity}” ({event.lifecycle}), and there is no `otherwise`"
            )
        return self._cases.otherwise

    @staticmethod
    def _together(case: Sequence[tuple[Placed, Made]]) -> Made:
        """A whole case as one: refused whole if one of its events is."""
        first = case[0][1]
        refused = next((made for _, made in case if made.refused), None)
        if refused is not None:
            return Made(refused.row, refused=refused.refused, rows=len(case), at=first.at)
        return Made(first.row, tuple(order for _, made in case for order in made.orders), rows=len(case), at=first.at)


def _matches(activity: Activity, event: Event) -> bool:
    if activity.lifecycle and event.lifecycle not in {each.lower() for each in activity.lifecycle}:
        return False
    if activity.matches is not None and re.search(activity.matches, event.activity):
        return True
    return event.activity in activity.name or not (activity.name or activity.matches)


def _facts(placed: Placed) -> dict[str, str | None]:
    event = placed.event
    return {
        **facts_of(event.row),
        "case": event.case,
        "activity": event.activity,
        "resource": event.resource,
        "lifecycle": event.lifecycle,
        "time": written(event.at),
        "event": str(placed.number),
        "events": str(placed.of),
        "first_time": written(placed.first),
        "last_time": written(placed.last),
    }
