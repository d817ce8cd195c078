"""What every read has at hand: snapshots that include what the caller wants to see, opened personal fields, and answers that say how far they go."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, cast
from uuid import UUID

import orjson
from fastapi import Response

from api.asking import JSON
from api.openapi import refusals
from api.read_parameters import ReadParameters
from api.wiring import Daybook
from domain.envelope import StoredEvent
from projections.fold import Home
from readmodels.around import gone_from, records_of
from readmodels.asking import Facts, LookupReader, Lookups, asked
from readmodels.cursors import Cursors
from readmodels.customers import CustomerReader
from readmodels.opening import amount_text
from readmodels.quick import reader_of
from replay.moments import Moment
from replay.past import Needs, whole

POSITION: Final = "Daybook-Position"
REFLECTS: Final[Mapping[str, Any]] = {
    POSITION: {
        "description": "The answer includes everything that was recorded up to this position.",
        "schema": {"type": "integer", "minimum": 0},
    }
}


Folds = Needs | Collection[str]
"""Read models by name, with those of their columns that are asked."""


class Reading:
    """The read models of one Daybook as routes ask them."""

    def __init__(self, daybook: Daybook, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.daybook = daybook
        self.quick = reader_of(daybook.tables.lookups)
        self.decrypt = daybook.books.vault.decrypt_all
        self.cursors = Cursors(daybook.books.vault.secret("cursors"))
        self.clock = clock
        self.customers = CustomerReader(daybook.tables.lookups.table)
        self._lookups = LookupReader(daybook.tables.lookups)

    def now(self, wanted: ReadParameters) -> datetime:
        """What time it is for who asks."""
        return wanted.moment.clock(self.clock())

    @contextmanager
    def lookups(self, wanted: ReadParameters, folds: Folds, about: UUID | None = None) -> Generator[Lookups]:
        """A snapshot of the lookups as `wanted`, in which `folds` (or those of their columns that are named) can be asked.

        As of another moment they are folded for that: from the events of the customers of the record `about` alone, if one is
        named, and then nothing else may be asked of them. Raises NotYet, Unavailable or BuildFailed.
        """
        moment, pasts = wanted.moment, self.daybook.pasts
        if moment.is_now:
            self.daybook.reach(wanted.at_least, Home.LOOKUPS)
            with self._lookups.snapshot() as lookups:
                yield lookups
            return
        head = self.daybook.written(wanted.at_least)
        if about is None:
            with pasts.lookups(moment, _needs(folds)) as lookups:
                yield lookups
            return
        with self.daybook.excerpts.lookups(folds, self._seen(moment, about, head), head) as lookups:
            yield lookups

    @contextmanager
    def facts(self, wanted: ReadParameters, folds: Folds, about: UUID | None = None) -> Generator[Facts]:
        """A snapshot of the facts in the same way."""
        moment, pasts = wanted.moment, self.daybook.pasts
        if moment.is_now:
            self.daybook.reach(wanted.at_least, Home.FACTS)
            with asked(self.daybook.tables.facts) as facts:
                yield facts
            return
        head = self.daybook.written(wanted.at_least)
        if about is None:
            with pasts.facts(moment, _needs(folds)) as store, asked(store) as facts:
                yield facts
            return
        with self.daybook.excerpts.facts(folds, self._seen(moment, about, head), head) as facts:
            yield facts

    def _seen(self, moment: Moment, record: UUID, head: int) -> list[StoredEvent]:
        """What a moment sees of the whole histories of a record's customers."""
        log = self.daybook.books.log
        fields = ("customer_id", "previous_customer_id")
        customers = {customer for event in log.read_stream(record) for name in fields if (customer := event.data.get(name))}
        self.daybook.reach(head)
        with self._lookups.snapshot() as lookups, asked(self.daybook.tables.facts) as facts:
            streams = customers | records_of(lookups, customers) | gone_from(facts, customers)
        events = sorted(log.read_streams(sorted(streams), head), key=attrgetter("position"))
        return [event for event in events if moment.sees(event)]

    def page(self, question: str, items: Sequence[Any], limit: int, place: Callable[[Any], Sequence[str | int]]) -> dict[str, Any]:
        """A page of `items` in order, of which there may be one more than `limit`; `next` leads on when there are more."""
        shown = items[:limit]
        return {"items": shown, "next": self.cursors.cursor(question, place(shown[-1])) if len(items) > limit else None}

    def after(self, question: str, cursor: str | None) -> list[Any] | None:
        """The place that a cursor names. Raises NotFound `cursor.unknown`."""
        return None if cursor is None else self.cursors.place(question, cursor)


def _needs(folds: Folds) -> Needs:
    return cast("Needs", folds) if isinstance(folds, Mapping) else whole(folds)


def encoded(body: Any) -> bytes:
    """Compact JSON; amounts as text."""
    return orjson.dumps(body, default=amount_text, option=orjson.OPT_UTC_Z)


def answer(body: Any, position: int) -> Response:
    """An answer that is true of the log up to `position`."""
    return Response(encoded(body), media_type=JSON, headers={POSITION: str(position)})


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a read may answer, as FastAPI has it: its position, and problems."""
    return {200: {"headers": REFLECTS}, **refusals(*statuses)}


def question_of(name: str, parameters: Any) -> str:
    """The same text for the same question, whichever page of it is asked for."""
    return name + parameters.model_dump_json(exclude={"cursor", "limit", "at_least"}, exclude_none=True)
