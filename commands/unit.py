"""The work of one transaction: what the orders name is fetched together, each is decided, and all is appended at once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from commands.catalogue import COMMANDS
from commands.command import Command, Ref
from commands.context import Context, Memory, external_claim
from commands.errors import CommandFailed, CommandIdReused, InvalidCommand, NotApplied, UnknownCommand, VersionMismatch
from commands.log import Commit, LogTransaction, StoredReceipt
from commands.order import Order, Outcome, Receipt, Refusal
from commands.records import RECORDS, Record
from commands.registry import RegisteredCommand, named
from domain.envelope import Cause, NewEvent
from domain.errors import DaybookError, NotFound
from domain.rules import Rules
from domain.values import happened

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every decision has at hand."""

    base_currency: str
    clock: Callable[[], datetime]
    fingerprint_key: bytes


@dataclass(slots=True)
class Message:
    """An order with its validated command and who handles it."""

    order: Order
    registered: RegisteredCommand
    command: Command


@dataclass(slots=True)
class Pending:
    """Becomes the receipt of commit number `commit` once that has its position."""

    commit: int
    repeated: bool = False


Decided = Receipt | Refusal | Pending


def parse(order: Order) -> Message | Refusal:
    """The order's command with its shape checked."""
    registered = COMMANDS.get(order.name)
    if registered is None:
        return Refusal(order.command_id, UnknownCommand(order.name))
    try:
        return Message(order, registered, order.command or registered.model.model_validate(order.data))
    except ValidationError as error:
        return Refusal(order.command_id, misshapen(order.name, error))


def misshapen(name: str, error: ValidationError) -> InvalidCommand:
    """What is wrong with a message, place by place."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return InvalidCommand(f"{name} has the wrong shape", [{"loc": list(each["loc"]), "msg": each["msg"]} for each in found])


@dataclass(slots=True)
class Unit:
    """One transaction's orders on their way to commits."""

    tx: LogTransaction
    memory: Memory
    desk: Desk
    head: int = field(init=False)
    outdated: list[UUID] = field(default_factory=list[UUID])
    """Streams whose states in memory are not as the log has them."""
    _commits: list[Commit] = field(default_factory=list[Commit])
    _positions: Sequence[int] = ()
    _by_command_id: dict[str, int] = field(default_factory=dict[str, int])
    _stored: Mapping[str, StoredReceipt] = field(default_factory=dict[str, StoredReceipt])

    def __post_init__(self) -> None:
        self.head = self.tx.head

    def look_ahead(self, messages: Sequence[Message | Refusal]) -> None:
        """Fetch what the orders name, with one question per table instead of one per order."""
        valid = [message for message in messages if isinstance(message, Message)]
        ids = [message.order.command_id for message in valid if message.order.command_id is not None]
        if ids:
            self._stored = self.tx.receipts(ids)
        streams: dict[UUID, str] = {}
        keys: dict[tuple[str, str], str] = {}
        for message in valid:
            if message.order.command_id not in self._stored:
                for kind, ref in named(message.command, message.registered.refs):
                    if isinstance(ref, UUID):
                        streams[ref] = kind
                    else:
                        keys[external_claim(kind, ref)] = kind
        if keys:
            held = self.tx.claimed(list(keys))
            self.memory.claims.update({key: held.get(key) for key in keys})
            streams.update({held[key]: kind for key, kind in keys.items() if key in held})
        self._load({stream_id: kind for stream_id, kind in streams.items() if stream_id.int not in self.memory.states})

    def _load(self, kinds: Mapping[UUID, str]) -> None:
        if not kinds:
            return
        histories = self.tx.load(list(kinds))
        for stream_id, kind in kinds.items():
            try:
                self.memory.states[stream_id.int] = RECORDS[kind].remember(histories.get(stream_id, ()), stream_id)
            except NotFound:
                continue  # another kind of record; the order that names it will be told

    def decide(self, messages: Sequence[Message | Refusal], *, atomic: bool) -> list[Decided]:
        """Decide what came together: all or none when `atomic`, else each for itself."""
        if not atomic:
            return [self._decide_alone(message) for message in messages]
        before, staged = len(self._commits), Memory()
        decided = [self._decide(message, staged) for message in messages]
        if not any(isinstance(each, Refusal) for each in decided):
            self.memory.absorb(staged)
            return decided
        for commit in self._commits[before:]:
            del self._by_command_id[commit.command_id]
        del self._commits[before:]
        return [self._not_applied(each, message) for each, message in zip(decided, messages, strict=True)]

    @staticmethod
    def _not_applied(decided: Decided, message: Message | Refusal) -> Decided:
        if isinstance(message, Refusal) or not isinstance(decided, Pending):
            return decided
        return Refusal(message.order.command_id, NotApplied())

    def _decide_alone(self, message: Message | Refusal) -> Decided:
        staged = Memory()
        decided = self._decide(message, staged)
        if isinstance(decided, Pending):
            self.memory.absorb(staged)
        return decided

    def _decide(self, message: Message | Refusal, staged: Memory) -> Decided:
        if isinstance(message, Refusal):
            return message
        try:
            fingerprint = message.order.fingerprint(self.desk.fingerprint_key)
            return self._repetition(message.order, fingerprint) or self._commit(message, fingerprint, staged)
        except DaybookError as error:
            return Refusal(message.order.command_id, error)
        except Exception:
            log.exception("deciding %s failed", message.order.name, extra={"trace_id": message.order.correlation_id})
            return Refusal(message.order.command_id, CommandFailed(message.order.name))

    def _repetition(self, order: Order, fingerprint: bytes) -> Decided | None:
        """The first answer, when this command id has been answered before."""
        if order.command_id is None:
            return None
        twin = self._by_command_id.get(order.command_id)
        first = self._commits[twin] if twin is not None else self._stored.get(order.command_id)
        if first is None:
            return None
        if first.fingerprint != fingerprint:
            raise CommandIdReused
        if isinstance(first, StoredReceipt):
            return Receipt(
                command_id=order.command_id,
                stream_id=first.stream_id,
                version=first.version,
                position=first.position,
                event_ids=first.event_ids,
                repeated=True,
            )
        return Pending(self._by_command_id[order.command_id], repeated=True)

    def _commit(self, message: Message, fingerprint: bytes, staged: Memory) -> Pending:
        order, target = message.order, getattr(message.command, message.registered.target[0])
        now = self.desk.clock()
        at = happened(order.occurred_at, now=now)
        rules = Rules(reporting=order.report)
        ctx = Context(self.tx, self.memory, staged, target=target, now=now, at=at, rules=rules, base_currency=self.desk.base_currency)
        record = RECORDS[message.registered.target[1]]
        if order.expected_version is not None:
            actual = _version(ctx, record, target)
            if actual != order.expected_version:
                raise VersionMismatch(order.expected_version, actual)
        message.registered.handler(message.command, ctx)
        self.outdated += ctx.outdated
        stream_id = ctx.about if ctx.about is not None else ctx.events[0][0]
        command_id = order.command_id if order.command_id is not None else str(uuid7())
        cause = Cause(
            actor=order.actor,
            source=order.source,
            command_id=command_id,
            correlation_id=order.correlation_id,
            causation_id=order.causation_id,
        )
        irregular = tuple(rules.broken)
        events = [
            NewEvent(
                id=uuid7(),
                stream_id=stream,
                version=version,
                occurred_at=at,
                recorded_at=now,
                cause=cause,
                irregular=irregular,
                event=event,
            )
            for stream, version, event in ctx.events
        ]
        self._by_command_id[command_id] = len(self._commits)
        self._commits.append(
            Commit(
                command_id=command_id,
                fingerprint=fingerprint,
                stream_id=stream_id,
                version=ctx.version(record, stream_id),
                events=events,
                claims=ctx.claims,
                links=ctx.links,
            )
        )
        return Pending(len(self._commits) - 1)

    @property
    def erases(self) -> bool:
        """Whether a person is erased by what was decided."""
        return any(event.event.erases for commit in self._commits for event in commit.events)

    def append(self) -> None:
        """Write everything that was decided."""
        if self._commits:
            self._positions = self.tx.append(self._commits)
            self.head = max(self.head, *self._positions)

    def outcome(self, decided: Decided) -> Outcome:
        """What the caller is told, after the append."""
        if not isinstance(decided, Pending):
            return decided
        commit = self._commits[decided.commit]
        return Receipt(
            command_id=commit.command_id,
            stream_id=commit.stream_id,
            version=commit.version,
            position=self._positions[decided.commit],
            event_ids=tuple(event.id for event in commit.events),
            repeated=decided.repeated,
        )


def _version(ctx: Context, record: Record[Any], target: Ref | None) -> int:
    """The version of the record that a command is about; 0 when there is none yet."""
    try:
        return 0 if target is None else ctx.version(record, ctx.id(record, target))
    except NotFound:
        return 0
