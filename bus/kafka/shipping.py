"""Shipping the log to the topic of events, from where the topic ends: which event goes where, and what each partition is told."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import orjson

from bus.kafka.records import Link, Outgoing, event_record, key_of, partition_of, settled_record
from bus.kafka.sending import BATCH_BYTES, Load
from bus.kafka.tails import Tail
from bus.stored_text import StoredText

SPARE_BYTES: Final = 30_000
RECORD_BYTES: Final = 420
"""What a record takes beyond its value, at most: the key, the headers and their lengths."""


class Outlet(Protocol):
    """Where batches go: a `Sender`."""

    def send(self, loads: Sequence[Load], waiting: Callable[[float], None]) -> None: ...
    def abandon(self) -> None: ...


class Shipment:
    """One publisher's run: from the ends that the topic had when it began, for as long as all that it sends arrives."""

    def __init__(self, sender: Outlet, found: Sequence[Tail]) -> None:
        self.epoch: Final = 1 + max(tail.epoch for tail in found)
        self._tails = list(found)
        self._sender = sender
        self.position = min(tail.upto for tail in found)
        """Every partition has all that is its own up to here."""

    def ship(self, texts: Sequence[StoredText], waiting: Callable[[float], None]) -> int:
        """Ship the log's events after `position`, in order; how many of them, as a batch has its size.

        Raises Unsure, after which this shipment is over, or KafkaRefused.
        """
        taken, owns = self._parted(texts)
        settled, settled_id = taken[-1][0].position, str(taken[-1][1])
        loads = [self._load(number, own, settled, settled_id) for number, own in enumerate(owns)]
        sent = [load for load in loads if load.records]
        self._sender.send(sent, waiting)
        for load in sent:
            tail, own = self._tails[load.partition], owns[load.partition]
            tail.offset += len(load.records)
            tail.upto, tail.epoch = settled, self.epoch
            tail.previous = own[-1][0].position if own else tail.previous
        self.position = settled
        return len(taken)

    def abandon(self) -> None:
        """Send nothing more."""
        self._sender.abandon()

    def _parted(
        self, texts: Sequence[StoredText]
    ) -> tuple[list[tuple[StoredText, object]], list[list[tuple[StoredText, dict[str, object]]]]]:
        """As many as fit one batch of each partition: all of them with their ids, and by partition those that it does not have yet."""
        room = [BATCH_BYTES - SPARE_BYTES] * len(self._tails)
        taken: list[tuple[StoredText, object]] = []
        owns: list[list[tuple[StoredText, dict[str, object]]]] = [[] for _ in self._tails]
        for text in texts:
            told = orjson.loads(text.state)
            number = partition_of(key_of(text, told), len(owns))
            if text.position > self._tails[number].upto:
                room[number] -= len(text.state.encode()) + RECORD_BYTES
                if room[number] < 0 and owns[number]:
                    break
                owns[number].append((text, told))
            taken.append((text, told["id"]))
        return taken, owns

    def _load(self, number: int, own: Sequence[tuple[StoredText, dict[str, object]]], settled: int, settled_id: str) -> Load:
        tail = self._tails[number]
        if not own:
            told = [] if tail.upto >= settled else [settled_record(number, Link(tail.previous, settled, settled_id, self.epoch))]
            return Load(number, tail.offset, told)
        records: list[Outgoing] = []
        previous = tail.previous
        for text, said in own[:-1]:
            records.append(event_record(text, Link(previous, text.position, str(said["id"]), self.epoch), said))
            previous = text.position
        text, said = own[-1]
        records.append(event_record(text, Link(previous, settled, settled_id, self.epoch), said))
        return Load(number, tail.offset, records)
