"""The engine: applies batches of events to the tables of one home, each fold's position in the same transaction as its rows."""

import logging
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from domain.envelope import StoredEvent
from projections.bulk import SLICE, Bulk
from projections.evaluate import Poison, evaluate
from projections.feed import Feed
from projections.fold import Fold, Home
from projections.homes import Tables, Writer
from projections.plan import Plan, plans
from projections.rows import rows_of
from projections.watching import UNWATCHED, Watch
from readmodels.layout import Moved, State, Version

log = logging.getLogger(__name__)

BATCH: Final = 2_000
"""Events that the Python evaluator takes at once."""
BULK_LAG: Final = 20_000
"""From this many events on, DuckDB is quicker."""


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is to be moved on: the version as it was read."""

    plan: Plan
    version: Version


@dataclass(frozen=True, slots=True)
class FoldHealth:
    """How one fold stands in one home."""

    home: Home
    fold: str
    number: int
    """The version of its table."""
    state: State
    position: int
    lag: int
    """How many positions it is behind the log."""
    fingerprint: str
    stale: bool
    """Whether it was folded by another declaration than today's; it then stays as it is."""
    error_position: int | None
    error: str | None
    partitions: tuple[int, ...]
    """Up to where it is in each partition; empty where it is not folded by workers."""


class Engine:
    """Moves the folds of one home on. Only `advance` and `apply` write; they may be called from any thread."""

    def __init__(self, tables: Tables, folds: Iterable[Fold], feed: Feed, *, bulk_lag: int = BULK_LAG, watch: Watch = UNWATCHED) -> None:
        self.tables = tables
        self.feed = feed
        self.plans = {plan.name: plan for plan in plans(folds, tables.home)}
        self.turn = threading.RLock()
        """Held while tables are moved on; whoever switches versions holds it too."""
        self._bulk_lag = bulk_lag
        self.watch = watch

    def targets(self, state: State = State.SERVING) -> list[Target]:
        """The tables that this code can move on as a whole: folded by today's declarations, not stopped, and not left to workers."""
        return [target for target in self.current(state) if not target.version.partitions]

    def current(self, *states: State) -> list[Target]:
        """The tables in one of these states that were folded by today's declarations and are not stopped."""
        return [
            Target(self.plans[version.fold], version)
            for version in self.tables.versions()
            if version.fold in self.plans
            and version.state in states
            and version.error is None
            and version.fingerprint == self.plans[version.fold].fold.fingerprint
        ]

    @property
    def position(self) -> int:
        """Up to which event all healthy serving tables are folded."""
        return min((target.version.position for target in self.current(State.SERVING)), default=0)

    def health(self) -> list[FoldHealth]:
        """Every version of every fold of today's."""
        head = self.feed.head()
        return [
            FoldHealth(
                home=self.tables.home,
                fold=version.fold,
                number=version.number,
                state=version.state,
                position=version.position,
                lag=max(0, head - version.position),
                fingerprint=version.fingerprint,
                stale=version.fingerprint != self.plans[version.fold].fold.fingerprint,
                error_position=version.error_position,
                error=version.error,
                partitions=tuple(map(version.reached, range(len(version.partitions)))),
            )
            for version in self.tables.versions()
            if version.fold in self.plans
        ]

    def advance(self) -> bool:
        """Apply the next batch to the serving tables that are furthest behind; False when there is nothing to do.

        Raises an error of the store's when it is out of order; nothing is lost by trying again.
        """
        with self.turn:
            return self.move_on(self.targets())

    def catch_up(self) -> None:
        """Apply everything that the log has now."""
        while self.advance():
            pass

    def move_on(self, targets: Sequence[Target]) -> bool:
        """Apply one batch to those of `targets` that are furthest behind; False when all are at the head."""
        return bool(targets) and self._move(targets, self.feed.head())

    def meet(self, targets: Sequence[Target]) -> bool:
        """Apply one batch to those of `targets` that are furthest behind, not beyond the others; False when all are at one position."""
        return self._move(targets, max((target.version.position for target in targets), default=0))

    def _move(self, targets: Sequence[Target], end: int) -> bool:
        after = min((target.version.position for target in targets), default=end)
        group = [target for target in targets if target.version.position == after]
        upto = min([end, *(t.version.position for t in targets if t.version.position > after)])
        if upto <= after:
            return False
        with suppress(Moved):
            if upto - after > self._bulk_lag:
                upto = min(upto, after + SLICE)
                with self.watch.folding(self.tables.home, (), upto - after):
                    self._apply_bulk(group, after, upto)
            else:
                events = [event for event in self.feed.read(after, BATCH) if event.position <= upto]
                reached = upto if len(events) < BATCH else events[-1].position
                with self.watch.folding(self.tables.home, events, reached - after):
                    self.apply(group, events, reached)
        return True

    def apply(self, group: Sequence[Target], events: Sequence[StoredEvent], upto: int) -> None:
        """Fold `events` into the tables of `group` and set their positions to `upto`, in one transaction.

        A fold that fails on an event is left before it, stopped; the others go on. Raises Moved.
        """
        try:
            with self.tables.writing() as writer:
                reached = [target.version for target in group if self._apply_one(writer, target, events)]
                if reached and upto != reached[0].position:
                    writer.advance(reached, upto)
        except (Moved, *self.tables.outages):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is put down to the fold and the event that it came from
            self._find_culprit(group, events, upto, error)

    def _apply_one(self, writer: Writer, target: Target, events: Sequence[StoredEvent]) -> bool:
        """Put what the events say into one table; False when its fold failed on one, and was left before it and stopped."""
        version = target.version
        try:
            rows = evaluate(target.plan, events)
        except Poison as poison:
            good = [event for event in events if event.position < poison.position]
            self.tables.put(writer, target.plan, version.number, evaluate(target.plan, good))
            if poison.position - 1 != version.position:
                writer.advance([version], poison.position - 1)
            writer.stop(version, poison.position, poison.message)
            self._tell_stopped(version, poison.position)
            return False
        self.tables.put(writer, target.plan, version.number, rows)
        return True

    def _find_culprit(self, group: Sequence[Target], events: Sequence[StoredEvent], upto: int, error: Exception) -> None:
        """One of these folds could not write what some event made: find out which and stop it there."""
        if len(group) > 1:
            for target in group:
                with suppress(Moved):
                    self.apply([target], events, upto)
        elif len(events) > 1:
            half = len(events) // 2
            middle = events[half - 1].position
            self.apply(group, events[:half], middle)
            moved = replace(group[0].version, position=middle)
            self.apply([Target(group[0].plan, moved)], events[half:], upto)
        elif not events:
            raise error
        else:
            with self.tables.writing() as writer:
                writer.stop(group[0].version, events[0].position, why(events[0], error))
            self._tell_stopped(group[0].version, events[0].position)

    def _tell_stopped(self, version: Version, position: int) -> None:
        log.error("%s in the %s stopped at position %s, which it cannot take", version.fold, self.tables.home, position)

    def _apply_bulk(self, group: Sequence[Target], after: int, upto: int) -> None:
        lanes = {target.plan: target.plan.lanes_in(self.tables.home) for target in group}
        try:
            with self.tables.writing() as writer, self.tables.scratch(writer) as scratch:
                bulk = Bulk(scratch, lanes.items())
                with bulk.typed(self.feed.arrow(after, upto).read_all()) as types:
                    for target in group:
                        if rows := rows_of(target.plan, lanes[target.plan], types):
                            self.tables.put_relation(writer, target.plan, target.version.number, scratch, f"({rows})")
                writer.advance([target.version for target in group], upto)
        except (Moved, *self.tables.outages):
            raise
        except Exception:  # noqa: BLE001 - whatever it was, the Python evaluator finds the fold and the event
            self._apply_slowly(group, after, upto)

    def _apply_slowly(self, group: Sequence[Target], after: int, upto: int) -> None:
        while after < upto:
            events = [event for event in self.feed.read(after, BATCH) if event.position <= upto]
            reached = events[-1].position if len(events) == BATCH else upto
            self.apply(group, events, reached)
            group = [
                Target(target.plan, replace(target.version, position=reached))
                for target in group
                if any(t.version.fold == target.version.fold for t in self.targets(target.version.state))
            ]
            after = reached


def why(event: StoredEvent, error: Exception) -> str:
    """What a fold that failed on an event says of it; of a database's error what was wrong, without the statement and its values."""
    said = str(getattr(error, "orig", None) or error)
    return f"{event.type}: {type(error).__name__}: {said}"
