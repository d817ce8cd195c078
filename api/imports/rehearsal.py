"""A log that is only thought of: it reads a real one and keeps what is appended to itself, so that an import can be tried without a trace."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from commands.log import Commit, EventLog, LogTransaction, StoredReceipt
from domain.event import Event


@dataclass(slots=True)
class Thought:
    """What has been appended in thought."""

    events: int = 0
    streams: dict[UUID, list[tuple[Event, datetime]]] = field(default_factory=dict[UUID, list[tuple[Event, datetime]]])
    receipts: dict[str, StoredReceipt] = field(default_factory=dict[str, StoredReceipt])
    claims: dict[tuple[str, str], UUID] = field(default_factory=dict[tuple[str, str], UUID])
    links: dict[tuple[str, str], dict[UUID, None]] = field(default_factory=dict[tuple[str, str], dict[UUID, None]])


class Rehearsal:
    """Fulfils `commands.log.EventLog` over another log, which it never writes; it holds what it was told in memory."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._thought = Thought()

    @contextmanager
    def transaction(self) -> Generator["RehearsedTransaction"]:
        """Become the only writer of the real log, and write nothing to it."""
        with self._log.transaction() as real:
            yield RehearsedTransaction(real, self._thought)


@dataclass(frozen=True, slots=True)
class RehearsedTransaction:
    """The real log's contents with the thought ones after them."""

    real: LogTransaction
    thought: Thought

    @property
    def head(self) -> int:
        """The last position, thought events counted."""
        return self.real.head + self.thought.events

    def streams_since(self, position: int) -> set[UUID]:
        """Every stream that may have changed: positions after the real head are only thought of, so the real ones since the start count too."""
        return self.real.streams_since(max(0, position - self.thought.events)) | set(self.thought.streams)

    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[Event, datetime]]]:
        """Each stream's events, the thought ones last."""
        real = self.real.load(stream_ids)
        both = {stream_id: (*real.get(stream_id, ()), *self.thought.streams.get(stream_id, ())) for stream_id in stream_ids}
        return {stream_id: history for stream_id, history in both.items() if history}

    def receipts(self, command_ids: Sequence[str]) -> Mapping[str, StoredReceipt]:
        """Receipts, real and thought."""
        known = self.thought.receipts
        return {**self.real.receipts(command_ids), **{key: known[key] for key in command_ids if key in known}}

    def claimed(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], UUID]:
        """Claims, real and thought."""
        known = self.thought.claims
        return {**{key: known[key] for key in keys if key in known}, **self.real.claimed(keys)}

    def linked(self, kind: str, key: str) -> Sequence[UUID]:
        """Links, real and thought."""
        return list(dict.fromkeys([*self.real.linked(kind, key), *self.thought.links.get((kind, key), ())]))

    def append(self, commits: Sequence[Commit]) -> Sequence[int]:
        """Keep the commits in mind."""
        return [self._keep(commit) for commit in commits]

    def _keep(self, commit: Commit) -> int:
        thought = self.thought
        for event in commit.events:
            thought.streams.setdefault(event.stream_id, []).append((event.event, event.occurred_at))
        thought.events += len(commit.events)
        thought.claims.update({(claim.kind, claim.key): claim.stream_id for claim in commit.claims})
        for link in commit.links:
            thought.links.setdefault((link.kind, link.key), {})[link.stream_id] = None
        thought.receipts[commit.command_id] = StoredReceipt(
            fingerprint=commit.fingerprint,
            stream_id=commit.stream_id,
            version=commit.version,
            position=self.head,
            event_ids=tuple(event.id for event in commit.events),
        )
        return self.head
