"""Bugs that such systems are known to have, each planted in one part: the simulator is worth something if it finds them."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bus.log import Log
from bus.sqlite_tables import SQLiteRows
from commands.context import Memory
from commands.dispatch import Dispatcher
from commands.log import LogTransaction
from commands.order import Job, Outcome, Receipt
from domain.envelope import StoredEvent
from readmodels.layout import Version
from tests.simulator.watched import WatchedLog, WatchedLookups
from tests.simulator.world import Parts


class PositionApart(WatchedLookups):
    """The position is committed apart from the rows that it belongs to."""

    @contextmanager
    def _writing(self) -> Generator[Any]:
        with super()._writing() as writer:
            writer.advance = partial(self._advance, writer, writer.advance)
            yield writer

    def _advance(self, writer: Any, really: Callable[..., None], versions: Sequence[Version], position: int) -> None:
        writer.connection.exec_driver_sql("COMMIT")
        self.machine.passes("lookups: before the commit")
        writer.connection.exec_driver_sql("BEGIN IMMEDIATE")
        really(versions, position)


class PositionTrusted(WatchedLookups):
    """The position is set, whatever it was meanwhile."""

    @contextmanager
    def _writing(self) -> Generator[Any]:
        with super()._writing() as writer:
            writer.advance = partial(self._advance, writer)
            yield writer

    @staticmethod
    def _advance(writer: Any, versions: Sequence[Version], position: int) -> None:
        for version in versions:
            writer.connection.exec_driver_sql(
                "UPDATE folds SET position = ? WHERE fold = ? AND number = ?", (position, version.fold, version.number)
            )


class ReceiptsDropped(WatchedLog):
    """Receipts are not kept."""

    @contextmanager
    def _writing(self) -> Generator[SQLiteRows]:
        with super()._writing() as rows:
            really = rows.insert
            rows.insert = lambda events, receipts, claims, links: really(events, (), claims, links)  # noqa: ARG005
            yield rows


class PositionReused(WatchedLog):
    """Now and then the last event is taken out, and its position given to the next one."""

    @contextmanager
    def _writing(self) -> Generator[SQLiteRows]:
        with super()._writing() as rows:
            gone = "SELECT max(position) FROM stored_events WHERE topic LIKE '%.renamed'"
            rows._cursor.execute(
                f"DELETE FROM stored_events WHERE position = ({gone}) AND position = (SELECT max(position) FROM stored_events)"
            )
            rows._cursor.execute("UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(position), 0) FROM stored_events)")
            yield rows


class FailureSwallowed(WatchedLog):
    """A commit that finds no room is rolled back and told of as if it had not been."""

    @contextmanager
    def _writing(self) -> Generator[SQLiteRows]:
        with super()._writing() as rows:
            yield rows
            if self._machine.full:
                rows._cursor.execute("ROLLBACK")
                rows._cursor.execute("BEGIN IMMEDIATE")


class ErasureForgotten(WatchedLog):
    """Whoever is erased keeps their key."""

    def _settle(self, erasures: Sequence[Any], head: int) -> None:
        del erasures
        self._seen = max(self._seen, head)


class OthersUnnoticed(Dispatcher):
    """What another process wrote is not noticed."""

    def _up_to_date(self, tx: LogTransaction) -> Memory:
        self._head = tx.head
        return super()._up_to_date(tx)


class Halves(Dispatcher):
    """What is to be done as one is done one by one."""

    def execute_all(self, jobs: Sequence[Job]) -> list[list[Outcome]]:
        return super().execute_all([Job(job.orders) for job in jobs])


class RepetitionRetold(Dispatcher):
    """Whoever asks again is told where the log is now, not where their events are."""

    def execute_all(self, jobs: Sequence[Job]) -> list[list[Outcome]]:
        answers = super().execute_all(jobs)
        return [[self._retold(each) for each in answer] for answer in answers]

    def _retold(self, outcome: Outcome) -> Outcome:
        return replace(outcome, position=self._head) if isinstance(outcome, Receipt) and outcome.repeated else outcome


class Skipping:
    """A feed that now and then leaves out the first event of a batch, as one does that reads positions before they are committed."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def read(self, after: int, limit: int) -> list[StoredEvent]:
        events = self._log.read(after, limit)
        return events[1:] if after and after % 3 == 0 and len(events) > 1 else events


BUGS: Final[Mapping[str, Parts]] = {
    "a follower's position is committed apart from its rows": Parts(lookups=PositionApart),
    "a follower's position is not compared before it is set": Parts(lookups=PositionTrusted),
    "receipts are not kept": Parts(log=ReceiptsDropped),
    "a position is used again": Parts(log=PositionReused),
    "a commit that failed is acknowledged": Parts(log=FailureSwallowed),
    "a commit is acknowledged before the disk has it": Parts(synced=False),
    "the key of an erased person is kept": Parts(log=ErasureForgotten),
    "what another process wrote is not noticed": Parts(dispatcher=OthersUnnoticed),
    "an atomic request is done by halves": Parts(dispatcher=Halves),
    "a repeated command gets another receipt": Parts(dispatcher=RepetitionRetold),
    "the feed skips an event": Parts(feed=Skipping),
}
