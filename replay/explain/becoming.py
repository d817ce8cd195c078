"""Why a record counts as it does in a figure: the events that its cells were taken from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.envelope import StoredEvent
from projections.opportunities import OPPORTUNITIES, STAGE_VISITS
from projections.plan import Plan, plan
from projections.surveys import SURVEYS
from replay.explain.arithmetic import add_up, keys_of
from replay.explain.cells import Cell
from replay.explain.finding import Asked, Finder
from replay.moments import Moment

DEAL: Final[Mapping[Plan, Sequence[str]]] = {
    plan(OPPORTUNITIES): ("opened_at", "stage", "status", "base_amount", "owner_id", "expected_close_on"),
    plan(STAGE_VISITS): ("stage",),
}
"""What figures count deals by."""

SURVEY: Final[Mapping[Plan, Sequence[str]]] = {plan(SURVEYS): ("sent_at", "answered_at", "score")}
"""What figures count surveys by."""


@dataclass(slots=True)
class Because:
    """An event, and the cells that it made what they are."""

    event: StoredEvent
    cells: list[Cell] = field(default_factory=list[Cell])


def because(finder: Finder, cells: Mapping[Plan, Collection[str]], record: str, upto: int, moment: Moment) -> list[Because]:
    """The events that made these cells of a record what they are, in the order of their positions.

    Rows with longer keys are those whose key begins with the record.
    """
    own = next(iter(cells))
    asked = Asked(own, own.lanes, (record,), upto, moment)
    return of_events(cells, record, finder.events(asked))


def of_events(cells: Mapping[Plan, Collection[str]], record: str, events: Sequence[StoredEvent]) -> list[Because]:
    """The same of a record's events."""
    found: dict[int, Because] = {}
    for made, columns in cells.items():
        for key in dict.fromkeys(key for event in events for key in keys_of(made, event) if key[0] == record):
            for column in columns:
                one = Cell(made, key, column)
                winner = add_up(one, events).winner
                if winner is not None:
                    found.setdefault(winner.event.position, Because(winner.event)).cells.append(one)
    return [found[position] for position in sorted(found)]
