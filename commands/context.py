"""What a handler may do while it decides one command: look records up, record events, claim what must be unique."""

from collections.abc import Sequence
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


class Memory:
    """What is known of the log without asking it.

    `states` has versions and states by the integer of a stream's id (hashing a UUID itself takes several times as long),
    `claims` who holds what (None: nobody), `links` what was linked in this transaction.
    """

    __slots__ = ("claims", "links", "states")

    def __init__(self) -> None:
        self.states: dict[int, tuple[int, Any]] = {}
        self.claims: dict[tuple[str, str], UUID | None] = {}
        self.links: dict[tuple[str, str], list[UUID]] = {}

    def absorb(self, staged: "Memory") -> None:
        """Take over what an accepted command staged."""
        self.states.update(staged.states)
        self.claims.update(staged.claims)
        for group, streams in staged.links.items():
            self.links.setdefault(group, []).extend(streams)


class Context:
    """One command being decided. What it looks up comes from `staged`, then `memory`, then the log.

    `target` is the reference to the record that the command is about, `at` when it happened: `now`, unless the caller said.
    """

    __slots__ = (
        "about",
        "at",
        "base_currency",
        "claims",
        "events",
        "links",
        "memory",
        "now",
        "outdated",
        "rules",
        "staged",
        "target",
        "tx",
    )

    def __init__(
        self,
        tx: LogTransaction,
        memory: Memory,
        staged: Memory,
        *,
        target: Ref | None,
        now: datetime,
        at: datetime,
        rules: Rules,
        base_currency: str,
    ) -> None:
        self.tx = tx
        self.memory = memory
        self.staged = staged
        self.target = target
        self.about = target if isinstance(target, UUID) else None
        self.now = now
        self.at = at
        self.rules = rules
        self.base_currency = base_currency
        self.events: list[tuple[UUID, int, Event]] = []
        self.claims: list[Claim] = []
        self.links: list[Link] = []
        self.outdated: list[UUID] = []

    @staticmethod
    def new_id() -> UUID:
        """A fresh UUIDv7."""
        return uuid7()

    def new(self, record: Record[Any], ref: Ref | None) -> UUID:
        """The id of a record to be made: the caller's own, or a fresh one, for which an external id is claimed."""
        if isinstance(ref, UUID):
            return ref
        stream_id = uuid7()
        self.staged.states[stream_id.int] = (0, None)
        if ref is self.target:
            self.about = stream_id
        if ref is not None:
            key = external_claim(record.kind, ref)
            if self.holder(*key) is not None:
                raise RuleViolation(f"{record.kind}.exists", f"there is a {record.kind} “{ref.id}” of “{ref.source}” already")
            self._claim(*key, stream_id)
        return stream_id

    def id(self, record: Record[Any], ref: Ref) -> UUID:
        """The id of the record that `ref` names. Raises NotFound `<kind>.unknown` for an external id nobody holds."""
        if isinstance(ref, UUID):
            return ref
        stream_id = self.holder(*external_claim(record.kind, ref))
        if stream_id is None:
            raise NotFound(f"{record.kind}.unknown", f"there is no {record.kind} “{ref.id}” of “{ref.source}”")
        if ref is self.target:
            self.about = stream_id
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
        number = stream_id.int
        entry = self.staged.states.get(number) or self.memory.states.get(number)
        if entry is None:
            entry = self.memory.states[number] = record.remember(self.tx.load([stream_id]).get(stream_id, ()), stream_id)
        if entry[1] is not None and not isinstance(entry[1], record.state):
            raise record.foreign(stream_id)
        return entry

    def sealed(self, record: Record[S], stream_id: UUID) -> S | None:
        """A record's state with its texts as the log has them, encrypted for whom they are about.

        For what takes texts from one person to another: they are not remembered, so that they are read again next time. What
        this transaction itself has recorded of the record is still as it was told.
        """
        self.outdated.append(stream_id)
        version, state = record.remember(self.tx.load([stream_id]).get(stream_id, ()), stream_id)
        if version == self.version(record, stream_id):
            self.staged.states[stream_id.int] = (version, state)
        return self.get(record, stream_id)

    def record(self, record: Record[Any], stream_id: UUID, events: Sequence[Event]) -> None:
        """Record what was decided as the next events of a stream."""
        version, state = self._versioned(record, stream_id)
        for event in events:
            version += 1
            state = record.evolve(state, event, self.at)
            self.events.append((stream_id, version, event))
        self.staged.states[stream_id.int] = (version, state)

    def holder(self, kind: str, key: str) -> UUID | None:
        """Who holds a claim, if anybody does."""
        pair = (kind, key)
        if pair in self.staged.claims:
            return self.staged.claims[pair]
        if pair in self.memory.claims:
            return self.memory.claims[pair]
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
        kind, key = external_claim(record.kind, external)
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


def external_claim(kind: str, ref: ExternalRef | ExternalId) -> tuple[str, str]:
    """How an external id is claimed: by kind of record, and source and id unambiguous whatever they contain."""
    return f"external.{kind}", f"{len(ref.source)}:{ref.source}:{ref.id}"
