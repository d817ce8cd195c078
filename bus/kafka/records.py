"""Stored events to and from Kafka records: CloudEvents 1.0 in the binary content mode, the value being the text that the log holds.

Each partition's events are a chain: every record says which position came before it there (`previous`), and up to which
position the partition has all that is its own (`settled`), so that a reader knows at any moment what it has, and sees what it has not.
Where a partition had nothing of what was shipped, a record without a value (`daybook.settled`) says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, cast

import orjson
from kafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType]

from bus.codec import Codec
from bus.stored_text import StoredText
from bus.traces import traceparent
from domain.envelope import StoredEvent
from domain.errors import CorruptHistory

SOURCE: Final = "daybook"
SETTLED: Final = "daybook.settled"
JSON: Final = "application/json"

Headers = list[tuple[str, bytes]]

_SPEC: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", SOURCE.encode())
_JSON: Final = ("content-type", JSON.encode())


class Raw(Protocol):
    """A record as the client library hands it out."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Link:
    """Where a record stands in its partition's chain."""

    previous: int
    """The position of the event before it in the partition, 0 for the first."""
    settled: int
    """Up to here the partition has all that is its own, with this record."""
    settled_id: str
    """The id of the log's event at `settled`."""
    epoch: int
    """Which publisher shipped it: each counts on from the one before."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent to a partition."""

    key: bytes
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Incoming:
    """What was read from a partition."""

    partition: int
    offset: int
    previous: int
    settled: int
    settled_id: str
    epoch: int
    position: int
    """The event's; where there is none, that of the last one before."""
    event: StoredEvent | None
    """None where the record only says how far the partition is complete."""

    @property
    def upto(self) -> int:
        """Whoever has dealt with this record has dealt with all of the partition up to here."""
        return max(self.position, self.settled)


_hashed: Final = cast("Callable[[bytes], int]", murmur2)


@lru_cache(maxsize=200_000)
def partition_of(key: str, partitions: int) -> int:
    """Where a key's records go; as the clients of all languages do it, so that anybody can tell."""
    return (_hashed(key.encode()) & 0x7FFFFFFF) % partitions


def key_of(stored: StoredText, told: Mapping[str, Any]) -> str:
    """The customer that an event is about, or else its stream: events with the same key stand in one partition."""
    return told["data"].get("customer_id") or stored.stream_id


def event_record(stored: StoredText, link: Link, told: Mapping[str, Any] | None = None) -> Outgoing:
    """An event as a record; `told` is what its text says, where that is known already."""
    told = cast("Mapping[str, Any]", orjson.loads(stored.state)) if told is None else told
    event_id = cast("str", told["id"])
    headers: Headers = [
        _SPEC,
        ("ce_id", event_id.encode()),
        _SOURCE,
        ("ce_type", stored.type.encode()),
        ("ce_time", told["occurred_at"].encode()),
        ("ce_subject", stored.stream_id.encode()),
        _JSON,
        ("ce_position", b"%d" % stored.position),
        ("ce_streamversion", b"%d" % stored.version),
        ("ce_v", b"%d" % told["v"]),
        *_chained(link, event_id),
    ]
    trace = traceparent(told.get("correlation_id"), told.get("causation_id"))
    if trace is not None:
        headers.append(("ce_traceparent", trace.encode()))
    return Outgoing(key_of(stored, told).encode(), stored.state.encode(), headers)


def settled_record(partition: int, link: Link) -> Outgoing:
    """A record that only says that the partition has all of its own up to a position."""
    name = b"settled-%d-%d" % (partition, link.settled)
    return Outgoing(name, None, [_SPEC, ("ce_id", name), _SOURCE, ("ce_type", SETTLED.encode()), *_chained(link, "")])


def _chained(link: Link, own_id: str) -> Headers:
    """The headers of the chain; an event that is itself the one at `settled` does not say its id twice."""
    headers = [
        ("ce_previous", b"%d" % link.previous),
        ("ce_settled", b"%d" % link.settled),
        ("ce_epoch", b"%d" % link.epoch),
    ]
    return headers if link.settled_id == own_id else [*headers, ("ce_settledid", link.settled_id.encode())]


def read(raw: Raw, codec: Codec | None) -> Incoming:
    """What a record says; without a codec, its headers. Raises CorruptHistory for one that is not ours, UnknownEventType for an event that this code does not know."""
    said = dict(raw.headers)
    try:
        previous, settled, epoch = int(said["ce_previous"]), int(said["ce_settled"]), int(said["ce_epoch"])
        settled_id, kind = said.get("ce_settledid", said["ce_id"]).decode(), said["ce_type"].decode()
        if kind == SETTLED:
            return Incoming(raw.partition, raw.offset, previous, settled, settled_id, epoch, previous, None)
        position, subject, version = int(said["ce_position"]), said["ce_subject"].decode(), int(said["ce_streamversion"])
    except (KeyError, ValueError) as error:
        where = f"offset {raw.offset} of partition {raw.partition}"
        raise CorruptHistory("record.malformed", f"the record at {where} is not one of Daybook's: {error}") from error
    event = codec and codec.stored(position, subject, version, kind, raw.value or b"")
    return Incoming(raw.partition, raw.offset, previous, settled, settled_id, epoch, position, event)
