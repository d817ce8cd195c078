"""The dispatcher: decides orders while it is the log's only writer, and appends what was decided in one transaction."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from commands.context import Memory
from commands.log import ERASED, EventLog, LogTransaction
from commands.order import Job, Order, Outcome
from commands.unit import Desk, Unit, parse

MOST_REMEMBERED = 200_000
"""Record states kept in memory between transactions."""


class Dispatcher:
    """Turns orders into events; use it from one thread at a time (`commands.group` shares it among many callers).

    `base_currency` is what amounts are also kept in; `clock` gives the time in UTC and is asked once for each order that is decided; `fingerprint_key` keeps what
    commands said from being guessed from their fingerprints. Raises what the log raises when it cannot write; then
    nothing was written.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        base_currency: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        fingerprint_key: bytes = b"",
    ) -> None:
        self._log = log
        self._desk = Desk(base_currency, clock, fingerprint_key)
        self._memory = Memory()
        self._head = 0
        self._erased = 0

    def execute(self, orders: Sequence[Order], *, atomic: bool = False) -> list[Outcome]:
        """Decide and append in one transaction; one outcome per order, in order."""
        return self.execute_all([Job(orders, atomic)])[0]

    def execute_all(self, jobs: Sequence[Job]) -> list[list[Outcome]]:
        """Decide and append several jobs in one transaction, so that one commit serves all; outcomes in order."""
        parsed = [[parse(order) for order in job.orders] for job in jobs]
        try:
            with self._log.transaction() as tx:
                unit = Unit(tx, self._up_to_date(tx), self._desk)
                unit.look_ahead([message for job in parsed for message in job])
                decided = [unit.decide(messages, atomic=job.atomic) for job, messages in zip(jobs, parsed, strict=True)]
                unit.append()
        except BaseException:
            self._memory = Memory()
            self._head = 0
            raise
        self._head = unit.head
        if unit.erases:
            self._memory = Memory()
        for stream_id in unit.outdated:
            self._memory.states.pop(stream_id.int, None)
        return [[unit.outcome(each) for each in job] for job in decided]

    def _up_to_date(self, tx: LogTransaction) -> Memory:
        """The memory, without what other writers changed and without claims and links, which are asked for anew each time."""
        memory = self._memory
        if tx.head != self._head:
            erased = len(tx.linked(*ERASED))
            if erased != self._erased:
                # Texts about whoever was erased may be among what is remembered of other records.
                self._erased = erased
                memory.states.clear()
            for stream_id in tx.streams_since(self._head) if memory.states else ():
                memory.states.pop(stream_id.int, None)
        if len(memory.states) > MOST_REMEMBERED:
            memory.states.clear()
        memory.claims.clear()
        memory.links.clear()
        return memory
