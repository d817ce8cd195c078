"""One writer's turn at the log: loads, checks and appends; the same for every database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate
from typing import Final, Protocol
from uuid import UUID

from bus.codec import Codec, KeyRing, Keys, person_of, texts
from bus.erasures import Erasure
from bus.errors import ConcurrencyConflict
from bus.failures import translated
from domain.commit import ERASED, Commit, StoredReceipt
from domain.envelope import NewEvent
from domain.event import Event

CLAIMS_HIDDEN: Final = 2
"""The version of the tables from which on claims are stored as keyed hashes."""

EventRow = tuple[int, str, int, str, str]
"""Of `stored_events`: position, stream, version, type, state."""

ReceiptRow = tuple[str, bytes, str, int, int, int]
"""Of `receipts`: command id, fingerprint, stream, version, position, and how many events lie contiguous up to that position."""

PlaceRow = tuple[str, str, str]
"""Of `claims` or `links`: kind, key, stream."""


class Rows(Protocol):
    """The tables, while we are their only writer; each database has its own."""

    def head(self) -> int:
        """The last position, 0 when there is none."""
        ...

    def streams_since(self, position: int) -> Iterable[str]:
        """The streams with events after `position`."""
        ...

    def events(self, streams: Sequence[str]) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of those streams' events, ordered by version within each stream."""
        ...

    def of_types(self, types: Sequence[str], after: int) -> Iterable[tuple[str, str, str]]:
        """Stream, type and state of the events of those types after a position, in order."""
        ...

    def versions(self, streams: Sequence[str]) -> Iterable[tuple[str, int]]:
        """The version of each of those streams that has events."""
        ...

    def receipts(self, command_ids: Sequence[str]) -> Iterable[tuple[ReceiptRow, Sequence[str]]]:
        """The receipts of those commands with the ids of their events."""
        ...

    def claims(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, str]]:
        """Key and stream of the claims of that kind."""
        ...

    def links(self, kind: str, key: str) -> Iterable[str]:
        """The streams linked to (kind, key), oldest first."""
        ...

    def schema_version(self) -> int:
        """Which version the tables are in."""
        ...

    def mark(self, schema_version: int) -> None:
        """Say that the tables are in this version now."""
        ...

    def all_claims(self) -> Iterable[PlaceRow]:
        """Every claim."""
        ...

    def replace_claims(self, claims: Sequence[PlaceRow]) -> None:
        """Have these claims in the place of all."""
        ...

    def insert(
        self, events: Sequence[EventRow], receipts: Sequence[ReceiptRow], claims: Sequence[PlaceRow], links: Sequence[PlaceRow]
    ) -> None:
        """Insert all; a link that exists is left as it is."""
        ...


class Transaction:
    """Fulfils `commands.log.LogTransaction` on the rows of a database."""

    def __init__(self, rows: Rows, codec: Codec, keys: KeyRing) -> None:
        self._rows = rows
        self._codec = codec
        self._keys = keys
        self._head = rows.head()
        self._claims_key = keys.secret("claims")
        self._versions: dict[UUID, int] = {}
        self.erased: list[Erasure] = []
        """Who is erased by what was appended."""

    @property
    def head(self) -> int:
        """The last position, 0 for an empty log."""
        return self._head

    def streams_since(self, position: int) -> set[UUID]:
        """The streams that have events after `position`."""
        with translated():
            return {UUID(stream) for stream in self._rows.streams_since(position)}

    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[Event, datetime]]]:
        """Each stream's events in order with their occurred_at. Raises UnknownEventType or CorruptHistory."""
        asked = dict(zip(texts(stream_ids), stream_ids, strict=True))
        streams: dict[UUID, list[tuple[Event, datetime]]] = {}
        with translated():
            rows = self._rows.events(list(asked)) if asked else ()
            for stream, event_type, state in rows:
                streams.setdefault(asked[stream], []).append(self._codec.decode(event_type, state))
        for stream_id in asked.values():
            self._versions[stream_id] = len(streams.get(stream_id, ()))
        return streams

    def receipts(self, command_ids: Sequence[str]) -> Mapping[str, StoredReceipt]:
        """The receipts of those of the commands that have been accepted before."""
        with translated():
            found = list(self._rows.receipts(command_ids)) if command_ids else []
        return {
            command_id: StoredReceipt(
                fingerprint=fingerprint,
                stream_id=UUID(stream),
                version=version,
                position=position,
                event_ids=tuple(UUID(event_id) for event_id in event_ids),
            )
            for (command_id, fingerprint, stream, version, position, _), event_ids in found
        }

    def claimed(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], UUID]:
        """Who holds each (kind, key); unclaimed ones are left out."""
        kinds: dict[str, dict[str, str]] = {}
        for kind, key in keys:
            kinds.setdefault(kind, {})[self._hidden(kind, key)] = key
        with translated():
            return {
                (kind, asked[hidden]): UUID(stream)
                for kind, asked in kinds.items()
                for hidden, stream in self._rows.claims(kind, list(asked))
            }

    def linked(self, kind: str, key: str) -> Sequence[UUID]:
        """The streams linked to (kind, key), oldest first."""
        with translated():
            return [UUID(stream) for stream in self._rows.links(kind, key)]

    def append(self, commits: Sequence[Commit]) -> Sequence[int]:
        """Write all commits; the position of each one's last event (the head where it has none).

        Raises ConcurrencyConflict when a stream is not at the version before, or a claim or command id is taken.
        """
        events = [self._taken_over(event) for commit in commits for event in commit.events]
        with translated():
            self._check_versions(events)
            persons = self._codec.persons(events)
            keys: Keys = self._keys.keys(persons) if persons else {}
            event_rows = self._event_rows(events, keys)
            receipt_rows = self._receipt_rows(commits)
            claims = [
                (claim.kind, self._hidden(claim.kind, claim.key), str(claim.stream_id)) for commit in commits for claim in commit.claims
            ]
            links = [(link.kind, link.key, str(link.stream_id)) for commit in commits for link in commit.links]
            links += self._erasing(events, event_rows)
            self._rows.insert(event_rows, receipt_rows, claims, links)
        self._head += len(event_rows)
        return [position for *_, position, _ in receipt_rows]

    def _hidden(self, kind: str, key: str) -> str:
        """A claim's key as it is stored: what is unique may be an e-mail address, which nobody shall read or guess from the table."""
        return blake2b(f"{kind}\n{key}".encode(), digest_size=16, key=self._claims_key).hexdigest()

    def hide_claims(self) -> None:
        """Bring claims into their present form in a log that was begun when they were kept plain."""
        with translated():
            if self._rows.schema_version() >= CLAIMS_HIDDEN:
                return
            hidden = [(kind, self._hidden(kind, key), stream) for kind, key, stream in self._rows.all_claims()]
            self._rows.replace_claims(hidden)
            self._rows.mark(CLAIMS_HIDDEN)

    def _erasing(self, events: Sequence[NewEvent], rows: Sequence[EventRow]) -> list[PlaceRow]:
        """Note who is erased; the links by which they are found again."""
        for new, (_, _, _, event_type, state) in zip(events, rows, strict=True):
            if new.event.erases and (person := person_of(new.event)):
                self.erased.append(Erasure.of(UUID(bytes=person), event_type, state))
        return [(*ERASED, str(erasure.person)) for erasure in self.erased]

    def erased_since(self, position: int) -> list[Erasure]:
        """Who was erased by events after a position, other processes' too."""
        with translated():
            rows = list(self._rows.of_types(self._codec.erasing, position))
        return [self._erasure(event_type, state) for _, event_type, state in rows]

    def erased_ever(self) -> list[UUID]:
        """Everybody who was erased."""
        return list(self.linked(*ERASED))

    def erasures_of(self, persons: Sequence[UUID]) -> list[Erasure]:
        """What the events say of the erasure of these persons."""
        with translated():
            rows = list(self._rows.events(texts(persons))) if persons else []
        return [self._erasure(event_type, state) for _, event_type, state in rows if event_type in self._codec.erasing]

    def _erasure(self, event_type: str, state: str) -> Erasure:
        event, _ = self._codec.decode(event_type, state)
        return Erasure.of(UUID(bytes=person_of(event)), event_type, state)

    def _taken_over(self, new: NewEvent) -> NewEvent:
        """The event with texts that another person's event told first readable again, to be sealed for its own person."""
        carried = self._codec.carried(new.event)
        if not carried:
            return new
        texts = zip(carried, self._keys.decrypt_all(list(carried.values())), strict=True)
        return replace(new, event=replace(new.event, **{name: text for name, text in texts if text is not None}))

    def _check_versions(self, events: Sequence[NewEvent]) -> None:
        versions = self._versions
        unseen = {event.stream_id for event in events if event.version > 1 and event.stream_id not in versions}
        if unseen:
            asked = dict(zip(texts([*unseen]), unseen, strict=True))
            versions.update(dict.fromkeys(unseen, 0))
            versions.update({asked[stream]: version for stream, version in self._rows.versions([*asked])})
        for event in events:
            # A first event needs no look-up: were the stream there already, the table's own uniqueness would refuse it.
            before = versions.get(event.stream_id, 0)
            if event.version != before + 1:
                message = f"stream {event.stream_id} is at version {before}; {event.event.type} was decided for version {event.version}"
                raise ConcurrencyConflict("conflict.version", message)
            versions[event.stream_id] = event.version

    def _event_rows(self, events: Sequence[NewEvent], keys: Keys) -> list[EventRow]:
        encode = self._codec.encode
        streams = texts([event.stream_id for event in events])
        return [
            (position, stream, event.version, event.event.type, encode(event, keys))
            for position, (stream, event) in enumerate(zip(streams, events, strict=True), self._head + 1)
        ]

    def _receipt_rows(self, commits: Sequence[Commit]) -> list[ReceiptRow]:
        streams = texts([commit.stream_id for commit in commits])
        positions = accumulate((len(commit.events) for commit in commits), initial=self._head)
        next(positions)
        return [
            (commit.command_id, commit.fingerprint, stream, commit.version, position, len(commit.events))
            for commit, stream, position in zip(commits, streams, positions, strict=True)
        ]
