"""A log in memory, for tests of commands: it fulfils `commands.log.EventLog` and is held to the same contract suite as the real ones."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bus.catalogue import personal_fields
from bus.cipher import Token, seal
from bus.errors import ConcurrencyConflict
from domain.commit import Commit, StoredReceipt
from domain.envelope import NewEvent
from domain.event import Event


@dataclass(slots=True)
class Contents:
    """Everything that has been committed, or is about to be."""

    commits: list[Commit] = field(default_factory=list[Commit])
    events: list[NewEvent] = field(default_factory=list[NewEvent])
    streams: dict[UUID, list[NewEvent]] = field(default_factory=dict[UUID, list[NewEvent]])
    receipts: dict[str, StoredReceipt] = field(default_factory=dict[str, StoredReceipt])
    claims: dict[tuple[str, str], UUID] = field(default_factory=dict[tuple[str, str], UUID])
    links: dict[tuple[str, str], dict[UUID, None]] = field(default_factory=dict[tuple[str, str], dict[UUID, None]])

    def add(self, commit: Commit) -> int:
        """Apply one commit; the position afterwards. Raises ConcurrencyConflict."""
        if commit.command_id in self.receipts:
            raise ConcurrencyConflict("conflict.command", f"command {commit.command_id} has been accepted before")
        for event in commit.events:
            stream = self.streams.setdefault(event.stream_id, [])
            if event.version != len(stream) + 1:
                raise ConcurrencyConflict("conflict.version", f"stream {event.stream_id} is at version {len(stream)}")
            stream.append(event)
            self.events.append(event)
        for claim in commit.claims:
            if (claim.kind, claim.key) in self.claims:
                raise ConcurrencyConflict("conflict.claim", f"{claim.kind} {claim.key} is taken")
            self.claims[claim.kind, claim.key] = claim.stream_id
        for link in commit.links:
            self.links.setdefault((link.kind, link.key), {})[link.stream_id] = None
        position = len(self.events)
        ids = tuple(event.id for event in commit.events)
        self.receipts[commit.command_id] = StoredReceipt(
            fingerprint=commit.fingerprint, stream_id=commit.stream_id, version=commit.version, position=position, event_ids=ids
        )
        self.commits.append(commit)
        return position


class MemoryVault:
    """A key for each person, and each event with its personal fields sealed, as decisions see it."""

    def __init__(self) -> None:
        self._keys: dict[UUID, AESGCM] = {}
        self._sealed: dict[UUID, Event] = {}

    def seal(self, stored: NewEvent) -> Event:
        """The event with tokens for its personal fields; the same ones each time."""
        if stored.id not in self._sealed:
            event = stored.event
            secrets = {name: text for name in personal_fields(type(event)) if (text := getattr(event, name)) is not None}
            self._sealed[stored.id] = replace(event, **self._tokens(stored, secrets)) if secrets else event
        return self._sealed[stored.id]

    def _tokens(self, stored: NewEvent, secrets: Mapping[str, str]) -> dict[str, Any]:
        person: UUID = next(person for name in stored.event.person if (person := getattr(stored.event, name)) is not None)
        key = self._keys.setdefault(person, AESGCM(os.urandom(32)))
        return {
            name: text
            if isinstance(text, Token)
            else Token(seal(key, name, text, person=person.bytes, event=stored.id.bytes, nonce=os.urandom(12)))
            for name, text in secrets.items()
        }


class MemoryLog:
    """Keeps everything as objects; personal fields stay readable in `events` and `history`, decisions see them as tokens."""

    def __init__(self) -> None:
        self._contents = Contents()
        self._vault = MemoryVault()
        self._lock = RLock()

    @property
    def events(self) -> list[NewEvent]:
        """All events; the one at position n is at index n - 1."""
        return self._contents.events

    def history(self, stream_id: UUID) -> list[Event]:
        """A stream's events in order."""
        return [stored.event for stored in self._contents.streams.get(stream_id, [])]

    @contextmanager
    def transaction(self) -> "Generator[MemoryTransaction]":
        """Become the only writer; an exception takes back what was appended."""
        with self._lock:
            committed = len(self._contents.commits)
            try:
                yield MemoryTransaction(self._contents, self._vault)
            except BaseException:
                kept, self._contents = self._contents.commits[:committed], Contents()
                for commit in kept:
                    self._contents.add(commit)
                raise


@dataclass(frozen=True, slots=True)
class MemoryTransaction:
    """One writer's view of the contents."""

    contents: Contents
    vault: MemoryVault

    @property
    def head(self) -> int:
        """The last position."""
        return len(self.contents.events)

    def streams_since(self, position: int) -> set[UUID]:
        """The streams with events after `position`."""
        return {stored.stream_id for stored in self.contents.events[position:]}

    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[Event, datetime]]]:
        """Each stream's events as decisions see them."""
        streams = self.contents.streams
        return {key: [(self.vault.seal(stored), stored.occurred_at) for stored in streams[key]] for key in stream_ids if streams.get(key)}

    def receipts(self, command_ids: Sequence[str]) -> Mapping[str, StoredReceipt]:
        """The receipts of commands accepted before."""
        return {key: self.contents.receipts[key] for key in command_ids if key in self.contents.receipts}

    def claimed(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], UUID]:
        """Who holds what."""
        return {key: self.contents.claims[key] for key in keys if key in self.contents.claims}

    def linked(self, kind: str, key: str) -> Sequence[UUID]:
        """The streams linked to (kind, key), oldest first."""
        return list(self.contents.links.get((kind, key), ()))

    def append(self, commits: Sequence[Commit]) -> Sequence[int]:
        """Apply the commits in order."""
        return [self.contents.add(commit) for commit in commits]
