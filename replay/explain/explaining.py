"""Explaining a cell: what the read model shows, beside what the events behind it come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select

from domain.errors import NotFound
from projections.evaluate import evaluate
from projections.sql import canonical, quoted
from readmodels.asking import Facts, Lookups
from readmodels.layout import Kind, Layout
from replay.explain.arithmetic import Said, Sum, add_up
from replay.explain.cells import Cell, spell
from replay.explain.finding import Asked, Finder
from replay.moments import Moment

PLACES: Final = 4
NOW: Final = Moment()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cell, and the events that make it."""

    cell: Cell
    shown: Any
    """What the read model has, as a canonical cell."""
    sum: Sum
    upto: int
    """The position up to which events are counted."""

    @property
    def agrees(self) -> bool:
        """Whether the events come to what the read model shows."""
        return self.shown == self.sum.value

    @property
    def by_type(self) -> list[tuple[str, int, Any]]:
        """For each type of event: how often it counts, and for totals what that comes to."""
        kinds: dict[str, list[Said]] = {}
        for said in self.sum.said:
            kinds.setdefault(said.event.type, []).append(said)
        total = isinstance(self.sum.value, int) and all(said.won is None for said in self.sum.said)
        return [(kind, len(some), sum(one.sign * (one.value or 0) for one in some) if total else None) for kind, some in kinds.items()]


def explain_now(finder: Finder, cell: Cell, shown: Any, upto: int) -> Explanation:
    """The events up to position `upto` behind what the read model shows at that position."""
    events = finder.events(Asked(cell.plan, [cell.lane], cell.key, upto, NOW))
    return Explanation(cell, shown, add_up(cell, events), upto)


def explain_past(finder: Finder, cell: Cell, upto: int, moment: Moment) -> Explanation:
    """The events behind what the read model showed at another moment, folded again for that. Raises NotFound `row.unknown`."""
    events = finder.events(Asked(cell.plan, cell.plan.lanes, cell.key, upto, moment))
    row = evaluate(cell.plan, events).get(cell.key)
    if row is None:
        raise unknown(cell)
    place = [column.name for column in cell.plan.layout.cells].index(cell.column)
    return Explanation(cell, row[place], add_up(cell, events), upto)


def cell_in_lookups(lookups: Lookups, cell: Cell) -> Any:
    """What the lookups show, as a canonical cell. Raises NotFound `row.unknown`."""
    table = lookups.table(cell.plan.name)
    same = [table.c[name] == part for name, part in zip(cell.plan.fold.key, cell.key, strict=True)]
    rows = lookups.rows(select(table.c[cell.column]).where(*same))
    if not rows:
        raise unknown(cell)
    value = rows[0][cell.column]
    return int(value.scaleb(PLACES)) if isinstance(value, Decimal) else value


def cell_in_facts(facts: Facts, cell: Cell) -> Any:
    """What the facts show, as a canonical cell. Raises NotFound `row.unknown`."""
    layout = cell.plan.layout
    key = " AND ".join(f"{quoted(name)} = $k{place}" for place, name in enumerate(layout.key))
    only = Layout(layout.name, (), (layout.column(cell.column),), (cell.column,))
    rows = facts.rows(f"{canonical(only, quoted(layout.name))} WHERE {key}", {f"k{place}": part for place, part in enumerate(cell.key)})
    if not rows:
        raise unknown(cell)
    value = rows[0][cell.column]
    return tuple(value) if cell.kind is Kind.TEXTS and value is not None else value


def unknown(cell: Cell) -> NotFound:
    """There is no such row."""
    return NotFound("row.unknown", f"{cell.plan.name} has no row {spell(cell.key)}")


def page(sum_: Sum, *, limit: int, after: Sequence[int] | None, descending: bool) -> list[tuple[int, int, Said]]:
    """At most `limit` of what events say, beyond a place: each with its place, which is its event's position and a count within that."""
    placed: list[tuple[int, int, Said]] = []
    for said in sum_.said:
        again = placed[-1][1] + 1 if placed and placed[-1][0] == said.event.position else 0
        placed.append((said.event.position, again, said))
    if descending:
        placed.reverse()
    if after is not None:
        place = tuple(after)
        placed = [one for one in placed if (one[:2] < place if descending else one[:2] > place)]
    return placed[:limit]
