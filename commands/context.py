"""What a handler may do while it decides one command: look records up, record events, claim what must be unique."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from commands.command import ExternalRef, Ref
from commands.log import Claim, Link, LogTransaction
from commands.records import Record
from domain.errors import NotFound, RuleViolation
from domain.event import Event
from domain.rules import Rules
from domain.values import ExternalId, Money, money

S = TypeVar("S")
EXTERNAL = "external."


@dataclass(slots=True)
class Memory:
    """What the dispatcher knows of the log: states with their versions by stream, who holds which claim (None: nobody), new links."""

    states: dict[UUID, tuple[int, Any]] = field(default_factory=dict[UUID, tuple[int, Any]])
    claims: dict[tuple[str, str], UUID | None] = field(default_factory=dict[tuple[str, str], UUID | None])
    links: dict[tuple[str, str], list[UUID]] = field(default_factory=dict[tuple[str, str], list[UUID]])

    def absorb(self, staged: "Memory") -> None:
        """Take over what an accepted command staged."""
        self.states.update(staged.states)
        self.claims.update(staged.claims)
        for group, streams in staged.links.items():
            self.links.setdefault(group, []).extend(streams)


@dataclass(slots=True)
class Context:
    """One command being decided. What it looks up comes from `staged`, then `memory`, then the log."""

    tx: LogTransaction
    memory: Memory
    staged: Memory
    now: datetime
    at: datetime
    """When it happened: now, unless the caller said."""
    rules: Rules
    base_currency: str
    events: list[tuple[UUID, int, Event]] = field(default_factory=list[tuple[UUID, int, Event]])
    claims: list[Claim] = field(default_factory=list[Claim])
    links: list[Link] = field(default_factory=list[Link])

    @staticmethod
    def new_id() -> UUID:
        """A fresh UUIDv7."""
        return uuid7()

    def new(self, record: Record[Any], ref: Ref | None) -> UUID:
        """The id of a record to be made: the caller's own, or a fresh one, for which an external id is claimed."""
        if isinstance(ref, UUID):
            return ref
        stream_id = uuid7()
        self.staged.states[stream_id] = (0, None)
        if ref is not None:
            key = (EXTERNAL + record.kind, external_key(ref))
            if self.holder(*key) is not None:
                raise RuleViolation(f"{record.kind}.exists", f"there is a {record.kind} “{ref.id}” of “{ref.source}” already")
            self._claim(*key, stream_id)
        return stream_id

    def id(self, record: Record[Any], ref: Ref) -> UUID:
        """The id of the record that `ref` names. Raises NotFound `<kind>.unknown` for an external id nobody holds."""
        if isinstance(ref, UUID):
            return ref
        stream_id = self.holder(EXTERNAL + record.kind, external_key(ref))
        if stream_id is None:
            raise NotFound(f"{record.kind}.unknown", f"there is no {record.kind} “{ref.id}” of “{ref.source}”")
        return stream_id

    def external(self, ref: Ref | None) -> ExternalId | None:
        """The external id in a reference, if it is one."""
        return ExternalId(ref.source, ref.id) if isinstance(ref, ExternalRef) else None

    def get(self, record: Record[S], stream_id: UUID) -> S | None:
        """A record's state, None when it has no events."""
        return self._versioned(record, stream_id)[1]

    def find(self, record: Record[S], ref: Ref) -> S:
        """A record's state. Raises NotFound `<kind>.unknown`."""
        state = self.get(record, self.id(record, ref))
        if state is None:
            raise NotFound(f"{record.kind}.unknown", f"there is no {record.kind} {ref}")
        return state

    def version(self, record: Record[Any], stream_id: UUID) -> int:
        """How many events a record has, with those recorded here."""
        return self._versioned(record, stream_id)[0]

    def _versioned(self, record: Record[S], stream_id: UUID) -> tuple[int, S | None]:
        entry = self.staged.states.get(stream_id) or self.memory.states.get(stream_id)
        if entry is None:
            entry = self.memory.states[stream_id] = record.remember(self.tx.load([stream_id]).get(stream_id, ()), stream_id)
        if entry[1] is not None and not isinstance(entry[1], record.state):
            raise record.foreign(stream_id)
        return entry

    def record(self, record: Record[Any], stream_id: UUID, events: Sequence[Event]) -> None:
        """Record what was decided as the next events of a stream."""
        version, state = self._versioned(record, stream_id)
        for event in events:
            version += 1
            state = record.evolve(state, event, self.at)
            self.events.append((stream_id, version, event))
        self.staged.states[stream_id] = (version, state)

    def holder(self, kind: str, key: str) -> UUID | None:
        """Who holds a claim, if anybody does."""
        pair = (kind, key)
        for memory in (self.staged, self.memory):
            if pair in memory.claims:
                return memory.claims[pair]
        held = self.memory.claims[pair] = self.tx.claimed([pair]).get(pair)
        return held

    def claim(self, kind: str, key: str, stream_id: UUID) -> None:
        """Hold `key` for `stream_id` alone. Raises RuleViolation `<kind>.taken` when another holds it."""
        held = self.holder(kind, key)
        if held is not None and held != stream_id:
            raise RuleViolation(f"{kind}.taken", f"“{key}” belongs to another record already")
        if held is None:
            self._claim(kind, key, stream_id)

    def claim_external(self, record: Record[Any], external: ExternalId, stream_id: UUID) -> None:
        """Hold another system's id for a record that exists. Raises RuleViolation `<kind>.external_id_taken`."""
        kind, key = EXTERNAL + record.kind, external_key(external)
        held = self.holder(kind, key)
        if held is not None and held != stream_id:
            raise RuleViolation(
                f"{record.kind}.external_id_taken", f"“{external.id}” of “{external.source}” belongs to another {record.kind} already"
            )
        if held is None:
            self._claim(kind, key, stream_id)

    def _claim(self, kind: str, key: str, stream_id: UUID) -> None:
        self.staged.claims[kind, key] = stream_id
        self.claims.append(Claim(kind, key, stream_id))

    def link(self, kind: str, key: str, stream_id: UUID) -> None:
        """Add a stream to a group that a later decision will ask for."""
        self.staged.links.setdefault((kind, key), []).append(stream_id)
        self.links.append(Link(kind, key, stream_id))

    def linked(self, kind: str, key: str) -> Sequence[UUID]:
        """The streams of a group, oldest first."""
        group = (kind, key)
        return [*self.tx.linked(kind, key), *self.memory.links.get(group, ()), *self.staged.links.get(group, ())]

    def money(self, amount: Decimal, currency: str | None, rate: Decimal | None) -> Money:
        """Money at the rate of its day; without a currency it is in base currency."""
        return money(amount, currency or self.base_currency, base_currency=self.base_currency, rate=rate)


def external_key(ref: ExternalRef | ExternalId) -> str:
    """How an external id is claimed: source and id, unambiguous whatever they contain."""
    return f"{len(ref.source)}:{ref.source}:{ref.id}"
