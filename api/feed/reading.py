"""Going through the log from a position on, and telling its events as JSON has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from api.feed.asking import Wanted
from api.personal import personal_of
from api.problems import NotYet
from api.wiring import Books
from bus.log import Log
from domain.envelope import StoredEvent
from replay.changes.attributes import Sealed
from replay.changes.tracking import Change, Changes

SCANNED_AT_ONCE: Final = 20_000
"""Positions that are looked through for wanted events in one step."""
_ROWS: Final = 1_000
"""Events that are decoded at once where only some of them are wanted."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What one step through the log gave."""

    events: Sequence[dict[str, Any]]
    after: int
    """The position up to which the log has been gone through."""
    head: int
    """The last position there is."""


class Reader:
    """Goes through the log for one client; with `changes`, events are told with what they changed."""

    def __init__(self, books: Books, wanted: Wanted, *, changes: bool) -> None:
        self._books = books
        self._wanted = wanted
        self._changes = Changes(books.log) if changes else None

    def begin(self, after: int) -> None:
        """Raises NotYet `position.unwritten` when the log has not come to `after`: the client knows another log, or an older one was put back."""
        head = self._books.log.head() if after else 0
        if after > head:
            raise NotYet("position.unwritten", f"nothing has been written at position {after} yet; the last is {head}")

    def step(self, after: int, most: int, until: int | None = None) -> Passage:
        """At most `most` wanted events after a position; of a long stretch without any it leaves the rest to the next step."""
        head = self._books.log.head()
        last = head if until is None else min(head, until)
        found, reached = find(self._books.log, self._wanted, after, most, last)
        return Passage(told(self._books, found, self._changes), max(after, reached), max(head, reached))


def find(log: Log, wanted: Wanted, after: int, most: int, last: int) -> tuple[list[StoredEvent], int]:
    """At most `most` wanted events after a position, and the position up to which there are no others; one step, up to `last` at the most."""
    if wanted.all:
        found = log.choose(after, last, most)
        return found, found[-1].position if len(found) == most else last
    if wanted.types == ():
        return [], last
    upto = min(last, after + SCANNED_AT_ONCE)
    rows = max(most, _ROWS)
    chosen = log.choose(after, upto, rows, types=wanted.types or (), mentioning=wanted.customer, envelopes=wanted.envelopes)
    if len(chosen) == rows:
        upto = chosen[-1].position
    found = [event for event in chosen if wanted.holds(event)]
    return (found, upto) if len(found) <= most else (found[:most], found[most - 1].position)


def told(books: Books, events: Sequence[StoredEvent], changes: Changes | None = None) -> list[dict[str, Any]]:
    """Events as JSON has them, personal fields readable; they are null where the person was forgotten."""
    places = [(index, name) for index, event in enumerate(events) for name in _personal(event)]
    texts = books.vault.decrypt_all([events[index].data[name] for index, name in places])
    readable: dict[int, dict[str, str | None]] = {}
    for (index, name), text in zip(places, texts, strict=True):
        readable.setdefault(index, {})[name] = text
    bodies = [_body(event, readable.get(index, {})) for index, event in enumerate(events)]
    if changes is not None and events:
        for event, body, change in zip(events, bodies, _opened(books, changes.of(events)), strict=True):
            body |= {"before": change.before, "after": change.after, "cause": _cause(event)}
    return bodies


def _opened(books: Books, changes: Sequence[Change]) -> list[Change]:
    """Changes with personal texts readable; where before and after read the same, or both were forgotten, nothing is told to have changed."""
    sealed = {
        text: "" for change in changes for side in (change.before, change.after) for text in side.values() if isinstance(text, Sealed)
    }
    plain: Mapping[Any, str | None] = dict(zip(sealed, books.vault.decrypt_all(list(sealed)), strict=True))
    return [_readable(change, plain) for change in changes] if plain else list(changes)


def _readable(change: Change, plain: Mapping[Any, str | None]) -> Change:
    def side(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: plain[value] if isinstance(value, Sealed) else value for name, value in values.items()}

    before, after = side(change.before), side(change.after)
    changed = [name for name in after if before[name] != after[name]]
    return replace(change, before={name: before[name] for name in changed}, after={name: after[name] for name in changed})


def _cause(event: StoredEvent) -> dict[str, Any]:
    return {
        "command_id": event.command_id,
        "actor": event.actor,
        "source": event.source,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
    }


def _personal(event: StoredEvent) -> Sequence[str]:
    return [name for name in personal_of(event.type) if event.data.get(name) is not None]


def _body(event: StoredEvent, readable: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "position": event.position,
        "stream_id": event.stream_id,
        "version": event.version,
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "source": event.source,
        "command_id": event.command_id,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "irregular": event.irregular,
        "data": {**event.data, **readable},
    }
