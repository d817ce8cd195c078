"""Folding by partitions: any number of workers move the lookups on side by side, each with the partitions that it was given.

A fold's rows and how far it is in each partition are written in one transaction, from where the register said it was. So whatever is
delivered twice, late, or by a worker that lost its partitions long ago changes nothing.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from time import monotonic
from typing import Final

from domain.envelope import StoredEvent
from projections.engine import Engine, Target, why
from projections.evaluate import Poison, evaluate
from projections.homes import LookupTables
from projections.plan import Rows
from readmodels.layout import Move, Moved, State, Version
from readmodels.lookup_writing import LookupWriter

LAST: Final = 2**63 - 1
FRESH: Final = 0.2
"""Seconds that what the register said holds. Writing finds out by itself what is not so any more; only what is new is seen later."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one partition, in order."""

    partition: int
    previous: int
    """The events of this partition up to here came before."""
    events: Sequence[StoredEvent]
    upto: int
    """There are no others in this partition up to here."""

    def after(self, position: int) -> "Batch":
        """What of it comes after `position`."""
        if position <= self.previous or not self.events or position < self.events[0].position:
            return self
        start = bisect_right(self.events, position, key=_position)
        return Batch(self.partition, position, self.events[start:], self.upto)

    def before(self, position: int) -> "Batch":
        """What of it comes before the event at `position`."""
        events = self.events[: bisect_right(self.events, position - 1, key=_position)]
        return Batch(self.partition, self.previous, events, max(self.previous, position - 1))


def _position(event: StoredEvent) -> int:
    return event.position


@dataclass(frozen=True, slots=True)
class _Share:
    """What one table gets of some batches."""

    target: Target
    batches: Sequence[Batch]
    rows: Rows
    poison: Poison | None

    @property
    def moves(self) -> list[Move]:
        """How far the batches take it."""
        version = self.target.version
        return [Move(version, batch.partition, batch.upto) for batch in self.batches if batch.upto > version.reached(batch.partition)]


class _Refused(Exception):
    """A table did not take its rows."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Partitions:
    """Moves the lookups on by what their partitions bring; one for each worker."""

    def __init__(self, engine: Engine, count: int, *, fresh: float = FRESH, clock: Callable[[], float] = monotonic) -> None:
        if not isinstance(engine.tables, LookupTables):
            raise TypeError("only lookups are folded by partitions")
        self._engine = engine
        self._tables = engine.tables
        self._count = count
        self._fresh = fresh
        self._clock = clock
        self._known: list[Target] | None = None
        self._read = 0.0

    def lacking(self, partition: int, *, beyond: int = -1) -> int:
        """The position after which events of a partition are wanted by the fold that is furthest behind, of those that are `beyond` another."""
        reached = (target.version.reached(partition) for target in self._targets())
        return min((position for position in reached if position > beyond), default=LAST)

    def apply(self, batches: Sequence[Batch], *, only: Target | None = None) -> dict[int, int]:
        """Fold batches, one of each partition at the most, into all tables that lack them.

        Gives the partitions in which something that came before is lacking, and after which position; these have to be
        delivered again from there. A fold that fails on an event is left before it and stopped; the others go on. Raises what the
        store raises when it is out of order; nothing is lost by trying again.
        """
        while True:
            try:
                return self._apply([target for target in self._targets() if only is None or _same(target, only)], batches)
            except Moved:
                self._known = None
            except self._tables.outages as error:
                self._known = None
                if not self._tables.collided(error):
                    raise

    def _targets(self) -> list[Target]:
        if self._known is None or self._clock() >= self._read + self._fresh:
            self._read, self._known = self._clock(), self._registered()
        return self._known

    def _registered(self) -> list[Target]:
        """The tables that go on by partitions: those that serve, and those that were built and are to catch up."""
        found = self._engine.current(State.SERVING, State.BUILDING)
        late = [target for target in found if len(target.version.partitions) < self._count and target.version.state is State.SERVING]
        if late:
            with self._tables.writing() as writer:
                known: dict[tuple[str, int], Version] = {(version.fold, version.number): version for version in writer.versions()}
                for target in late:
                    version = known.get((target.version.fold, target.version.number))
                    if version and version.state is State.SERVING:
                        writer.divide(version, self._count)
            found = self._engine.current(State.SERVING, State.BUILDING)
        return [target for target in found if len(target.version.partitions) >= self._count]

    def _apply(self, targets: Sequence[Target], batches: Sequence[Batch]) -> dict[int, int]:
        behind: dict[int, int] = {}
        shares: list[_Share] = []
        cut: dict[tuple[int, int], Batch] = {}
        for target in targets:
            mine: list[Batch] = []
            for batch in batches:
                reached = target.version.reached(batch.partition)
                if batch.previous > reached:
                    behind[batch.partition] = min(reached, behind.get(batch.partition, reached))
                elif batch.upto > reached:
                    mine.append(cut.setdefault((batch.partition, reached), batch.after(reached)))
            if mine:
                shares.append(_share(target, mine))
        if shares:
            events = [event for batch in batches for event in batch.events]
            with self._engine.watch.folding(self._tables.home, events, len(events)):
                self._write(shares)
        return behind

    def _write(self, shares: Sequence[_Share]) -> None:
        moves = [move for share in shares for move in share.moves]
        try:
            with self._tables.sharing() as writer:
                for share in shares:
                    self._put(writer, share)
                writer.move(moves)
                for share in shares:
                    if share.poison:
                        writer.stop(share.target.version, share.poison.position, share.poison.message)
        except _Refused as refused:
            self._find_culprit(shares, refused.error)
            return
        self._note(moves, stopped=any(share.poison for share in shares))

    def _put(self, writer: LookupWriter, share: _Share) -> None:
        try:
            self._tables.put(writer, share.target.plan, share.target.version.number, share.rows)
        except self._tables.outages:
            raise
        except Exception as error:
            raise _Refused(error) from error

    def _note(self, moves: Sequence[Move], *, stopped: bool) -> None:
        """Keep in mind what the register says now."""
        if stopped or self._known is None:
            self._known = None
            return
        moved: dict[tuple[str, int], dict[int, int]] = {}
        for move in moves:
            moved.setdefault((move.version.fold, move.version.number), {})[move.partition] = move.after
        self._known = [_moved(target, moved.get((target.version.fold, target.version.number), {})) for target in self._known]

    def _find_culprit(self, shares: Sequence[_Share], error: Exception) -> None:
        """One of these tables could not take what some event made: find out which, and stop its fold there."""
        self._known = None
        for share in shares if len(shares) > 1 else ():
            self.apply(share.batches, only=share.target)
        if len(shares) > 1:
            return
        (share,) = shares
        if len(share.batches) > 1:
            for batch in share.batches:
                self.apply([batch], only=share.target)
            return
        (batch,) = share.batches
        if not batch.events:
            raise error
        if len(batch.events) > 1:
            middle = batch.events[len(batch.events) // 2].position
            self.apply([batch.before(middle)], only=share.target)
            self.apply([batch.after(middle - 1)], only=share.target)
            return
        with self._tables.sharing() as writer:
            writer.stop(share.target.version, batch.events[0].position, why(batch.events[0], error))


def _share(target: Target, batches: Sequence[Batch]) -> _Share:
    try:
        return _Share(target, batches, evaluate(target.plan, chain.from_iterable(batch.events for batch in batches)), None)
    except Poison as poison:
        # Of the partition that brought it what came before is taken; the others wait until the fold is mended.
        one = next(batch for batch in batches if any(event.position == poison.position for event in batch.events))
        good = one.before(poison.position)
        return _Share(target, [good], evaluate(target.plan, good.events), poison)


def _same(one: Target, other: Target) -> bool:
    return (one.version.fold, one.version.number) == (other.version.fold, other.version.number)


def _moved(target: Target, after: dict[int, int]) -> Target:
    if not after:
        return target
    version = target.version
    parts = tuple(after.get(number, position) for number, position in enumerate(version.partitions))
    return replace(target, version=replace(version, partitions=parts, position=max(version.base, min(parts))))
