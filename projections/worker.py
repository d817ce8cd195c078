"""A worker: a member of the group that shares the partitions of events, folding into the lookups what it is delivered.

How far each fold is in each partition stands in the lookups' own register, beside the rows. The offsets that are committed to Kafka are
hints for where to begin: what was delivered before is left out, and where something lacks, the worker goes back for it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Final

from bus.errors import TopicBroken
from bus.kafka.cluster import Cluster
from bus.kafka.reading import EventReader
from bus.kafka.records import Incoming
from domain.errors import DaybookError
from projections.cursors import Cursor, batch_of
from projections.engine import Engine
from projections.partitions import Batch, Partitions

log = logging.getLogger(__name__)

GROUP: Final = "lookups"
"""The group is called so after the prefix of the topics."""
AT_ONCE: Final = 4_000
"""Records that are folded in one transaction at the most."""
IDLE_SECONDS: Final = 0.2
COMMIT_SECONDS: Final = 1.0
LOOK_BACK_SECONDS: Final = 5.0
TELL_SECONDS: Final = 10.0
"""Seconds after which a worker that has folded something says how it stands."""
RETRY_SECONDS: Final = (0.1, 0.3, 1.0, 3.0, 5.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a worker stands."""

    partitions: tuple[int, ...]
    """Those that it has now."""
    events: int
    """How many were delivered to it and folded since it began."""
    position: int
    """Up to which event all healthy folds are, whoever folded them."""
    trouble: str | None
    """What keeps it from going on; None when all is well."""


class Worker:
    """Folds from `run` until it is told to stop; an outage of Kafka or PostgreSQL makes it wait, and never end."""

    def __init__(
        self,
        engine: Engine,
        cluster: Cluster,
        *,
        session_seconds: float = 10.0,
        tell: Callable[[Standing], None] | None = None,
        stopping: Event | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._cluster = cluster
        self._session_seconds = session_seconds
        self._tell = tell
        self._stopping = stopping or Event()
        self._clock = clock
        self._partitions: Partitions | None = None
        self._cursors: dict[int, Cursor] = {}
        self._uncommitted: dict[int, int] = {}
        self._committed = 0.0
        self._failures = 0
        self._position = 0
        self._told = (0, 0.0)
        self._gaps: dict[int, str] = {}
        self.events = 0
        """How many were delivered to it and folded."""
        self.trouble: str | None = None
        """What keeps it from going on just now; None when all is well."""

    def stop(self) -> None:
        """Finish the batch at hand and end; may be called by any thread or by a signal's handler."""
        self._stopping.set()

    @property
    def assigned(self) -> tuple[int, ...]:
        """The partitions that it has now."""
        return tuple(sorted(self._cursors))

    @property
    def standing(self) -> Standing:
        """How it stands."""
        with suppress(*self._engine.tables.outages):  # they are told as the trouble
            self._position = self._engine.position
        trouble = self.trouble or next(iter(self._gaps.values()), None)
        return Standing(self.assigned, self.events, self._position, trouble)

    def run(self, *, once: bool = False) -> None:
        """Fold until told to stop; with `once`, until what the partitions that it was given hold now is folded."""
        while not self._stopping.is_set():
            try:
                with self._joined() as reader:
                    self._follow(reader, once=once)
            except (DaybookError, *self._engine.tables.outages) as error:
                self._failed(error)
            else:
                return

    def _joined(self) -> EventReader:
        group = f"{self._cluster.prefix}-{GROUP}"
        return EventReader(self._cluster, group=group, session_seconds=self._session_seconds)

    def _follow(self, reader: EventReader, *, once: bool) -> None:
        self._cursors, self._uncommitted, self._gaps = {}, {}, {}
        count = reader.partitions()
        self._partitions = Partitions(self._engine, count, clock=self._clock)
        ends = reader.bounds(range(count)) if once else {}
        reader.subscribe()
        while not self._stopping.is_set():
            found = _by_partition(reader.poll(IDLE_SECONDS, AT_ONCE))
            self._settle(reader, found)
            if found:
                self._fold(reader, found)
            self._go_back(reader)
            self._commit(reader)
            if self.events != self._told[0] and self._clock() > self._told[1] + TELL_SECONDS:
                self._say()
            if ends and self._cursors and all(cursor.offset >= ends[part][1] for part, cursor in self._cursors.items()):
                break
        self._committed = 0.0
        self._commit(reader)
        self._say()

    def _settle(self, reader: EventReader, found: Mapping[int, Sequence[Incoming]]) -> None:
        """Note which partitions are ours, and where each is read; the group may have changed both."""
        ours = reader.assigned()
        changed = ours != self._cursors.keys()
        for gone in self._cursors.keys() - ours:
            del self._cursors[gone]
            self._uncommitted.pop(gone, None)
            self._gaps.pop(gone, None)
        for part in ours:
            offset = found[part][0].offset if part in found else reader.position(part)
            cursor = self._cursors.get(part)
            if cursor is None or cursor.offset != offset:
                self._cursors[part] = Cursor(offset)
                if part not in found:
                    self._look_back(reader, part)
        if changed:
            self._partitions = Partitions(self._engine, reader.partitions(), clock=self._clock)
            self._say()

    def _look_back(self, reader: EventReader, part: int) -> None:
        """Read the last record before again: it says what was delivered, even where nothing comes any more."""
        cursor = self._cursors[part]
        first, _ = reader.bounds([part])[part]
        if first < cursor.offset:
            cursor.offset -= 1
            cursor.silent_after = self._clock() + LOOK_BACK_SECONDS
            reader.seek(part, cursor.offset)

    def _fold(self, reader: EventReader, found: Mapping[int, Sequence[Incoming]]) -> None:
        made = {part: batch_of(records) for part, records in found.items() if part in self._cursors}
        behind = self._applied([batch for batch, _ in made.values()])
        if behind is None:
            return
        for part, (batch, offset) in made.items():
            cursor = self._cursors[part]
            if part in behind and cursor.at_start:
                cursor.unkept = behind[part]
                self._gaps[part] = str(_gap(part, behind[part], batch.previous))
                log.error("%s", self._gaps[part])
            if offset <= found[part][-1].offset:
                reader.seek(part, offset)
            cursor.delivered(batch.upto, offset)
            self._uncommitted[part] = offset
            self.events += len(batch.events)

    def _applied(self, batches: Sequence[Batch]) -> Mapping[int, int] | None:
        """Fold batches, however long the lookups are out of order meanwhile; None when told to stop before."""
        while not self._stopping.is_set():
            try:
                behind = self._of().apply(batches)
            except self._engine.tables.outages as error:
                self._failed(error)
            else:
                self._well()
                return behind
        return None

    def _go_back(self, reader: EventReader) -> None:
        """Go back in partitions where a fold lacks what was delivered: it was rolled back, retried, built anew, or its database restored."""
        try:
            lacking = {part: self._of().lacking(part, beyond=cursor.unkept) for part, cursor in self._cursors.items()}
            mended = [part for part in self._gaps if self._of().lacking(part) > self._cursors[part].unkept]
        except self._engine.tables.outages as error:
            self._failed(error)
            return
        for part in mended:
            del self._gaps[part]
        for part, cursor in self._cursors.items():
            silent = self._clock() > cursor.silent_after  # not every broker hands out a record from the middle of what was sent at once
            if silent or (cursor.upto is not None and lacking[part] < cursor.upto):
                reader.seek(part, cursor.back_to(lacking[part]))
                cursor.offset = reader.position(part)

    def _commit(self, reader: EventReader) -> None:
        if not self._uncommitted or self._clock() < self._committed + COMMIT_SECONDS:
            return
        with suppress(DaybookError):  # only a hint, and the group may be sharing its partitions anew just now
            reader.commit(self._uncommitted)
            self._uncommitted = {}
        self._committed = self._clock()

    def _of(self) -> Partitions:
        if self._partitions is None:
            raise RuntimeError("the worker has not joined yet")
        return self._partitions

    def _failed(self, error: Exception) -> None:
        """Note what is wrong, and wait a little, each time longer."""
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        if self.trouble is None:
            log.warning("waiting: %s", said)
        self.trouble = said
        self._say()
        self._stopping.wait(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)])
        self._failures += 1

    def _well(self) -> None:
        self._failures = 0
        if self.trouble is not None:
            self.trouble = None
            self._say()

    def _say(self) -> None:
        self._told = (self.events, self._clock())
        if self._tell is not None:
            self._tell(self.standing)


def _by_partition(records: Sequence[Incoming]) -> dict[int, list[Incoming]]:
    found: dict[int, list[Incoming]] = {}
    for record in records:
        found.setdefault(record.partition, []).append(record)
    return found


def _gap(part: int, reached: int, previous: int) -> TopicBroken:
    message = (
        f"partition {part} does not have what came between positions {reached} and {previous} any more, and a read model lacks it: "
        "fold it again from the log with `daybook rebuild`"
    )
    return TopicBroken("topic.gap", message)
