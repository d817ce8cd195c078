"""Going through the log for the changes that somebody asked for: part by part, so that little of it is in memory at once."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.changes.asking import ChangesAsked
from api.feed.asking import Wanted
from api.feed.reading import find
from api.wiring import Books
from bus.envelopes import Count
from bus.log import Log
from readmodels.cursors import Cursors
from replay.audit.view import Row, Telling, View, totals
from replay.audit.view_csv import head, lines
from replay.audit.view_page import Page

AT_ONCE: Final = 200
"""Events that are told in one step."""
COUNTED_AT_ONCE: Final = 1_000
SEARCH_SECONDS: Final = 1.0
"""How long a JSON page looks for events that are wanted, before it says where to go on."""
MUCH: Final = 2**53


class ChangesReader:
    """Answers one question. The pages of an answer end where the log ended when the first one was asked for."""

    def __init__(self, books: Books, asked: ChangesAsked) -> None:
        """Raises RuleViolation `period.empty`, or NotFound `cursor.unknown`."""
        self._log = books.log
        self._asked = asked
        self._wanted = asked.wanted()
        self._view = View(
            Telling(histories=books.log, language=asked.language, decrypt=books.vault.decrypt_all if asked.personal else None)
        )
        self._cursors = Cursors(books.vault.secret("cursors"))
        self._question = f"changes {sorted(asked.question().items())}"
        place = None if asked.cursor is None else self._cursors.place(self._question, asked.cursor)
        self._after, self.upto = place or (0, books.log.head())

    def page(self, most: int) -> dict[str, Any]:
        """A page as JSON has it; it may be shorter than `most` where the search takes long, and there is more as long as there is a `next`."""
        give_up_at = time.monotonic() + SEARCH_SECONDS
        items = [row for rows in self._parts(most, give_up_at) for row in rows]
        more = self._more(give_up_at)
        return {
            "totals": self._totals() if self._tells_totals else None,
            "upto": self.upto,
            "items": items,
            "next": self._cursors.cursor(self._question, (self._after, self.upto)) if more else None,
        }

    def as_csv(self, most: int | None) -> Iterator[bytes]:
        """The lines of a CSV file."""
        yield head()
        for rows in self._parts(most):
            yield lines(rows)

    def as_page(self, most: int) -> Iterator[bytes]:
        """The parts of a page to read and print, with totals of all that is asked for."""
        page = Page(self._asked.language)
        yield _bytes(page.head(self._asked.question(), self.upto, self._totals()))
        for rows in self._parts(most):
            yield _bytes(page.rows(rows))
        yield _bytes(page.foot(self._after if self._more() else None))

    @property
    def _tells_totals(self) -> bool:
        return self._asked.cursor is None if self._asked.totals is None else self._asked.totals

    def _parts(self, most: int | None, give_up_at: float | None = None) -> Iterator[list[Row]]:
        left = MUCH if most is None else most
        while left and self._after < self.upto and (give_up_at is None or time.monotonic() < give_up_at):
            found, self._after = find(self._log, self._wanted, self._after, min(left, AT_ONCE), self.upto)
            left -= len(found)
            if found:
                yield self._view.rows(found)

    def _more(self, give_up_at: float | None = None) -> bool:
        """Whether there may be more after this; without a time to give up at, whether there is."""
        after = self._after
        while after < self.upto:
            found, after = find(self._log, self._wanted, after, 1, self.upto)
            if found or (give_up_at is not None and time.monotonic() > give_up_at):
                return True
        return False

    def _totals(self) -> Mapping[str, Any]:
        return totals(counts(self._log, self._wanted, self.upto))


def counts(log: Log, wanted: Wanted, upto: int) -> list[Count]:
    """How many of the wanted events everybody recorded, by which door and of which type."""
    if wanted.types == ():
        return []
    if wanted.customer is None:
        return log.count(upto, types=wanted.types or (), envelopes=wanted.envelopes)
    found = Counter[tuple[str, str, str]]()
    after = 0
    while after < upto:
        events, after = find(log, wanted, after, COUNTED_AT_ONCE, upto)
        found.update((event.actor, event.source, event.type) for event in events)
    return [Count(*group, events) for group, events in found.items()]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
