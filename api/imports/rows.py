"""Files whose every row makes commands."""

from collections.abc import Iterator
from datetime import datetime

from api.imports.conditions import hold
from api.imports.errors import RowRefused
from api.imports.expressions import Scope
from api.imports.intake import Intake
from api.imports.lookups import Lookups, facts_of
from api.imports.making import Made, Maker, Refused, moment
from api.imports.mapping import Rows
from api.imports.sources import BadRow, Row
from api.imports.spill import Event, in_order
from commands.order import Order


class RowsPart:
    """One `[[rows]]` of a mapping at work."""

    def __init__(self, rows: Rows, intake: Intake, lookups: Lookups, maker: Maker) -> None:
        self._rows = rows
        self._intake = intake
        self._lookups = lookups
        self._maker = maker
        self._terms = intake.plan.terms[rows.file]
        self._seen: set[str] = set()

    def made(self) -> Iterator[Made]:
        """What each row makes, in the file's order or by time."""
        if "time" not in (self._rows.order, self._intake.plan.order):
            for each in self._intake.rows(self._rows.file):
                yield Made(each.row, refused=Refused(each.code, each.message)) if isinstance(each, BadRow) else self._make(each)
            return
        undated: list[Made] = []
        for placed in in_order(self._dated(undated), "time"):
            yield self._make(placed.event.row, placed.event.at)
        yield from undated

    def _dated(self, undated: list[Made]) -> Iterator[Event]:
        for each in self._intake.rows(self._rows.file):
            if isinstance(each, BadRow):
                undated.append(Made(each.row, refused=Refused(each.code, each.message)))
                continue
            try:
                at = self._date(each)
            except RowRefused as error:
                undated.append(Made(each, refused=Refused(error.code, error.message)))
                continue
            if at is None:
                undated.append(Made(each))
            else:
                yield Event(each, at)

    def _scope(self, row: Row) -> Scope:
        return Scope(self._lookups.row(self._rows.lookups, row, self._terms), facts_of(row), self._terms)

    def _date(self, row: Row) -> datetime | None:
        """When the row happened; None for a row that is not wanted."""
        scope = self._scope(row)
        if self._rows.occurred_at is None or not hold(self._rows.when, scope):
            return None
        at = moment(self._rows.occurred_at, scope)
        if at is None:
            raise RowRefused("time.missing", f"{self._rows.occurred_at.source} is empty, so the row has no place in the order of time")
        return at

    def _make(self, row: Row, at: datetime | None = None) -> Made:
        try:
            scope = self._scope(row)
            if not hold(self._rows.when, scope):
                return Made(row, at=at)
            self._lookups.require(self._rows.lookups, row, scope.row, self._terms)
            return Made(row, tuple(self._orders(scope)), at=at)
        except RowRefused as error:
            return Made(row, refused=Refused(error.code, error.message), at=at)

    def _orders(self, scope: Scope) -> Iterator[Order]:
        row_id = self._rows.id.key(scope)
        if row_id is None:
            raise RowRefused("key.empty", f"{self._rows.id.source} is empty, so nothing identifies the row")
        if self._rows.once:
            if row_id in self._seen:
                return
            self._seen.add(row_id)
        yield from self._maker.orders(self._rows.label, row_id, self._rows.commands, scope, self._rows.occurred_at)
