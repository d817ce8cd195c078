"""A log in memory that fulfils the folds' feed, and histories without rhyme or reason to fill it with."""

import random
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa

from domain.catalogue import EVENTS
from domain.envelope import StoredEvent
from domain.event import Event
from projections.shapes import shape
from readmodels.layout import Kind

SCHEMA = pa.schema(
    [("position", pa.int64()), ("stream_id", pa.string()), ("version", pa.int32()), ("type", pa.string()), ("state", pa.string())]
)


class MemoryFeed:
    """The events given to it, in order."""

    def __init__(self, events: Iterable[StoredEvent] = ()) -> None:
        self.events: list[StoredEvent] = list(events)
        self._grown = threading.Condition()

    def add(self, events: Sequence[StoredEvent]) -> None:
        with self._grown:
            self.events += events
            self._grown.notify_all()

    def head(self) -> int:
        return self.events[-1].position if self.events else 0

    def read(self, after: int, limit: int) -> list[StoredEvent]:
        start = next((place for place, event in enumerate(self.events) if event.position > after), len(self.events)) if after else 0
        return self.events[start : start + limit]

    def read_at(self, positions: Sequence[int]) -> list[StoredEvent]:
        by_position = {event.position: event for event in self.events}
        return [by_position[position] for position in positions]

    def wait(self, after: int, timeout: float) -> bool:
        with self._grown:
            return self._grown.wait_for(lambda: self.head() > after, timeout)

    def arrow(self, after: int, upto: int) -> pa.RecordBatchReader:
        wanted = [event for event in self.events if after < event.position <= upto]
        columns = [
            [event.position for event in wanted],
            [event.stream_id for event in wanted],
            [event.version for event in wanted],
            [event.type for event in wanted],
            [state(event) for event in wanted],
        ]
        table = pa.table([pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
        return table.to_reader(max_chunksize=7 if len(wanted) < 1000 else None)


def state(event: StoredEvent) -> str:
    """The envelope as the log keeps it."""
    envelope = {
        "id": event.id,
        "v": 1,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "source": event.source,
        "command_id": event.command_id,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "irregular": list(event.irregular),
        "data": dict(event.data),
    }
    return orjson.dumps(envelope).decode()


EPOCH = datetime(2024, 2, 28, 22, 0, tzinfo=UTC)
WORDS = ("", "a", "open", 'O\'Neill "x"', '"data":', "é中文", "back\\slash", "line\nbreak", "bell\x07\x1f\\u001f", "Müller & Söhne")
NAMED: dict[str, tuple[object, ...]] = {
    "status": ("open", "won", "lost", "waiting", "resolved"),
    "previous_status": ("open", "won", "lost", "waiting", "resolved"),
    "direction": ("set", "pushed", "pulled", "to_customer", "from_customer"),
    "kind": ("csat", "nps", "ces", "first_response", "resolution", "company", "call"),
    "waiting_on": ("customer", "third_party"),
    "lifecycle": ("lead", "active"),
    "score": tuple(range(11)),
    "previous_score": tuple(range(11)),
    "move_no": tuple(range(4)),
    "previous_move_no": tuple(range(4)),
    "open_change": (-1, 0, 1),
}


def ident(number: int) -> str:
    """A UUID as text."""
    return str(UUID(int=number << 64 | 7))


def instant(number: int) -> str:
    """The text of an instant, `number` tenths of a second after the beginning."""
    return (EPOCH + timedelta(seconds=number / 10)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def wild_event(chance: random.Random, position: int, event: type[Event], *, ids: int = 4) -> StoredEvent:
    """Any event of that class, its fields drawn without regard to each other from small pools of `ids` records."""
    occurred = instant(chance.randrange(100_000_000))
    return StoredEvent(
        position=position,
        stream_id=ident(chance.randrange(ids)),
        version=chance.randrange(1, 9),
        id=ident(1_000_000 + position),
        type=event.type,
        occurred_at=occurred,
        recorded_at=max(occurred, instant(chance.randrange(100_000_000))),
        actor=chance.choice(("user:a", "key:b")),
        source=chance.choice(("api", "import:x")),
        command_id=f"c{position}",
        irregular=chance.choice(((), (), ("opportunity.closed",), ("a.b", "c.d"))),
        data={name: _wild(chance, name, field.kind, ids, optional=optional) for name, (field, optional) in _fields(event).items()},
    )


def _fields(event: type[Event]) -> dict[str, tuple[Any, bool]]:
    hints = {name: str(hint) for base in reversed(event.__mro__) for name, hint in getattr(base, "__annotations__", {}).items()}
    return {name: (field, "None" in hints[name]) for name, field in shape(event).items()}


def _wild(chance: random.Random, name: str, kind: Kind, ids: int, *, optional: bool) -> object:
    if optional and chance.random() < 0.3:
        return None
    if name in NAMED:
        return chance.choice(NAMED[name])
    match kind:
        case Kind.TEXT:
            return chance.choice(WORDS)
        case Kind.ID:
            return ident(chance.randrange(ids))
        case Kind.INTEGER:
            return chance.randrange(-3, 100_000)
        case Kind.BOOLEAN:
            return chance.random() < 0.5
        case Kind.DECIMAL:
            return chance.choice(("0", "0.0001", "-12.5", "1234567890.1234", "999999999999.9999", "3.14159265", "-0.00005", "7"))
        case Kind.INSTANT:
            return instant(chance.randrange(100_000_000))
        case Kind.DATE:
            return chance.choice(("2024-02-29", "2025-12-31", "1970-01-01"))
        case _:
            return chance.choice(([], ["a"], ["b", "é\"'"]))


def wild_history(seed: int, length: int, *, ids: int = 4, after: int = 0, events: Sequence[type[Event]] = EVENTS) -> list[StoredEvent]:
    """A history of `length` wild events; the same for the same seed. Positions may jump, as they may in a log."""
    chance = random.Random(seed)
    history: list[StoredEvent] = []
    position = after
    for _ in range(length):
        position += 1
        history.append(wild_event(chance, position, chance.choice(events), ids=ids))
    return history
