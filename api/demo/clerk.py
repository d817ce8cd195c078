"""The clerk who puts a simulated history into a log through real commands, as if each had been recorded when it came."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from commands.dispatch import Dispatcher
from commands.log import Commit, EventLog, LogTransaction, StoredReceipt
from commands.order import Order, Receipt, Refusal
from domain.event import Event

ORDERS_AT_ONCE = 500


class SimulationRefused(Exception):
    """A command of the simulation was not accepted: the simulation and the rules disagree, which is a mistake in one of them."""


class Clerk:
    """Sends orders to the dispatcher, some hundred in one transaction, in the order in which they came."""

    def __init__(self, log: EventLog, *, base_currency: str) -> None:
        self._past = PastLog(log)
        self._dispatcher = Dispatcher(self._past, base_currency=base_currency, clock=lambda: self._past.times[-1])
        self._orders: list[Order] = []
        self._times: list[datetime] = []
        self.orders = 0
        self.events = 0

    def send(self, order: Order, now: datetime) -> None:
        """Take an order that came at `now`, not before the one before; it says itself when what it tells of happened."""
        self._orders.append(order)
        self._times.append(now)
        if len(self._orders) >= ORDERS_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Send what is still waiting. Raises SimulationRefused."""
        if not self._orders:
            return
        orders, self._past.times = self._orders, self._times
        self._orders, self._times = [], []
        for order, outcome in zip(orders, self._dispatcher.execute(orders), strict=True):
            self.orders += 1
            self.events += len(_accepted(order, outcome).event_ids)


def _accepted(order: Order, outcome: Receipt | Refusal) -> Receipt:
    if isinstance(outcome, Refusal):
        raise SimulationRefused(f"{order.name} {dict(order.data)}: {outcome.error.code}: {outcome.error.message}")
    return outcome


class PastLog:
    """Another log, in which each commit is recorded at its own time in the past: `times` has one for each commit to come.

    The dispatcher records a whole transaction at one time, which is right for what happens now. A history of two years
    would be blurred by it, or need a transaction for each command.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.times: Sequence[datetime] = ()

    @contextmanager
    def transaction(self) -> "Generator[PastTransaction]":
        """Become the only writer."""
        with self._log.transaction() as tx:
            yield PastTransaction(tx, self.times)


@dataclass(frozen=True, slots=True)
class PastTransaction:
    """One writer's view: everything as the log has it, but for the times of what is appended."""

    tx: LogTransaction
    times: Sequence[datetime]

    @property
    def head(self) -> int:
        """The last position."""
        return self.tx.head

    def streams_since(self, position: int) -> set[UUID]:
        """The streams with events after `position`."""
        return self.tx.streams_since(position)

    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[Event, datetime]]]:
        """Each stream's events."""
        return self.tx.load(stream_ids)

    def receipts(self, command_ids: Sequence[str]) -> Mapping[str, StoredReceipt]:
        """The receipts of commands accepted before."""
        return self.tx.receipts(command_ids)

    def claimed(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], UUID]:
        """Who holds what."""
        return self.tx.claimed(keys)

    def linked(self, kind: str, key: str) -> Sequence[UUID]:
        """The streams linked to (kind, key)."""
        return self.tx.linked(kind, key)

    def append(self, commits: Sequence[Commit]) -> Sequence[int]:
        """Write all commits at their times; at one time when they are fewer than expected, because the clerk then stops anyway."""
        if len(commits) == len(self.times):
            for commit, time in zip(commits, self.times, strict=True):
                for event in commit.events:
                    event.recorded_at = time
        return self.tx.append(commits)
