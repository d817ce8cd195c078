"""A long log published and folded by two workers, some of whom are killed on the way, and the broker too: `python -m tests.faults.million 1000000`.

The workers begin while the log is empty, so that nothing is folded as a whole: every event of every read model comes through Kafka.
Then the log is filled with what a made-up company decided and copies of it. In the end the topic is read and counted, how far each partition
of each read model has come is looked up, and the lookups are compared, row by row, with those that an embedded rebuild makes of the same log.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

import psycopg

from api.settings import load_settings
from api.wiring import open_books
from bench.copies import history
from bus.kafka.chain import Chain
from bus.kafka.cluster import Cluster
from bus.kafka.reading import EventReader
from tests.faults.database import Database, database
from tests.faults.fleet import Fleet, fleet
from tests.faults.shared_lookups import Lookups, lookups
from tests.kafka import program
from tests.kafka_broker.broker import Broker, running

Say = Callable[[str], None]

PARTITIONS: Final = 6
WORKERS: Final = ("worker-1", "worker-2")
AT_ONCE: Final = 5_000
LOOK_EVERY: Final = 0.2
TELL_EVERY: Final = 10.0
STILL_AFTER: Final = 180.0
"""Seconds without any progress after which it is given up."""
FAULTS: Final = ((0.15, "worker-1"), (0.4, "worker-2"), (0.6, "broker"), (0.75, "worker-1"))
"""What is killed when that part of the log is folded."""
DOWN_SECONDS: Final = 1.0
AHEAD: Final = 0.15
"""What part of the log is there beyond the place of the next fault, so that it strikes while there is work, however short the log is."""


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    events: int
    distinct: int = 0
    """How many of them are in the topic."""
    repeated: int = 0
    """Records of the topic that hold an event which is there already."""
    epochs: int = 0
    """How many publishers shipped them: each run of one that had to look again what the topic has counts."""
    worker_kills: int = 0
    broker_kills: int = 0
    delivered: int = 0
    """Events that workers said they folded; what a killed one had not said is not counted."""
    folded: float = 0.0
    """Seconds from the first event in the log until all were folded."""
    rows: int = 0
    misplaced: list[str] | None = None
    apart: list[str] | None = None

    def __str__(self) -> str:
        rate = self.events / self.folded if self.folded else 0.0
        return (
            f"{self.events:,} events published and folded by two workers in {self.folded:.0f} s ({rate:,.0f}/s), with {self.worker_kills} kills of "
            f"workers and {self.broker_kills} of the broker; in the topic: lost {self.events - self.distinct}, twice {self.repeated}, "
            f"publishers' runs {self.epochs}; partitions not at the end {len(self.misplaced or ())}; "
            f"{self.rows:,} rows of lookups, read models unlike an embedded rebuild of the log {len(self.apart or ())}"
        )


def prove(events: int, folder: Path, postgres: Database, broker: Broker, say: Say) -> Outcome:
    """Do all of it; the caller says which of what came of it is wrong."""
    source = folder / "embedded"
    source.mkdir(mode=0o700)
    began = time.monotonic()
    count = history(load_settings({}, data=source), events)
    say(f"a log of {count:,} events, made in {time.monotonic() - began:.0f} s; broker: {broker.kind}; PostgreSQL with fsync")
    outcome = Outcome(count)
    with fleet(folder, postgres.url, broker, partitions=PARTITIONS) as there, lookups(postgres.url) as seen:
        _published_and_folded(outcome, there, broker, seen, source / "log.db", say)
        began = time.monotonic()
        _count_topic(outcome, there.cluster)
        say(f"the topic was read and counted in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        outcome.misplaced = seen.misplaced(count, PARTITIONS)
        with open_books(load_settings({}, data=source)) as books:
            outcome.rows, outcome.apart = seen.unlike_embedded(books.log)
        say(f"the log was rebuilt and compared in {time.monotonic() - began:.0f} s")
    return outcome


def _published_and_folded(outcome: Outcome, there: Fleet, broker: Broker, seen: Lookups, log: Path, say: Say) -> None:
    there.publisher()
    for name in WORKERS:
        there.worker(name)
    _wait(lambda: bool(seen.serving()) and all(len(each.partitions) == PARTITIONS for each in seen.serving()), there)
    began = time.monotonic()
    faults = list(FAULTS)

    def room() -> float:
        return (faults[0][0] + AHEAD) * outcome.events if faults else outcome.events

    filling = Thread(target=_carry, args=(log, there.settings["log_url"], room))
    filling.start()
    try:
        _watched(outcome, faults, there, broker, seen, say, began)
    finally:
        faults.clear()
        filling.join()
    outcome.folded = time.monotonic() - began
    for name in list(there.running):
        there.stop(name)
    outcome.delivered = sum(_delivered(there, name) for name in WORKERS)


def _watched(
    outcome: Outcome, faults: list[tuple[float, str]], there: Fleet, broker: Broker, seen: Lookups, say: Say, began: float
) -> None:
    """Kill what is to be killed, start it again, and say how far everything is, until all is folded."""
    position, moved, told = 0, time.monotonic(), began
    while position < outcome.events:
        time.sleep(LOOK_EVERY)
        before, position, now = position, seen.position(), time.monotonic()
        moved = now if position != before else moved
        assert now < moved + STILL_AFTER, f"nothing moved since position {position}: {[there.last_words(name) for name in there.running]}"
        assert not there.ended()
        if faults and position >= faults[0][0] * outcome.events:
            _break(outcome, there, broker, faults[0][1])
            del faults[0]
            say(f"{now - began:6.0f} s  {_standing(outcome, there, position)}")
        elif now >= told + TELL_EVERY:
            told = now
            say(f"{now - began:6.0f} s  {_standing(outcome, there, position)}")


def _break(outcome: Outcome, there: Fleet, broker: Broker, what: str) -> None:
    if what == "broker":
        broker.kill()
        time.sleep(DOWN_SECONDS)
        broker.start()
        outcome.broker_kills += 1
        return
    there.kill(what)
    time.sleep(DOWN_SECONDS)
    there.worker(what)
    outcome.worker_kills += 1


def _standing(outcome: Outcome, there: Fleet, position: int) -> str:
    workers = "; ".join(f"{name} has {_partitions(there, name)}" for name in WORKERS)
    kills = f"kills: {outcome.worker_kills} of workers, {outcome.broker_kills} of the broker"
    return f"folded up to {position:9,} of {outcome.events:,}; {workers}; {kills}"


def _partitions(there: Fleet, name: str) -> str:
    said = there.said(name, "partitions")
    return ",".join(map(str, said[-1]["partitions"])) if said and said[-1]["partitions"] else "none"


def _delivered(there: Fleet, name: str) -> int:
    """All that the processes of one name said, each of which counts from zero."""
    counts = [line["events"] for line in there.said(name, "partitions")]
    return sum(count for count, after in zip(counts, [*counts[1:], 0], strict=True) if after < count)


def _carry(log: Path, url: str, room: Callable[[], float]) -> None:
    """Copy the events of a log in a file into one in PostgreSQL, some at a time, each time in one transaction, as far as there is room."""
    select = "SELECT position, originator_id, originator_version, topic, state FROM stored_events ORDER BY position"
    insert = "COPY daybook.stored_events (position, originator_id, originator_version, topic, state) FROM STDIN"
    at_once = max(1, min(AT_ONCE, int(room() / 50)))
    with closing(sqlite3.connect(log)) as source, psycopg.connect(url, autocommit=True) as target:
        for rows in _some(source.execute(select), at_once):
            while rows[-1][0] > room():
                time.sleep(LOOK_EVERY)
            with target.transaction(), target.cursor().copy(insert) as copy:
                for position, stream, version, topic, state in rows:
                    copy.write_row((position, stream, version, topic, state.encode()))


def _some(cursor: sqlite3.Cursor, at_once: int) -> Iterator[list[tuple[int, str, int, str, str]]]:
    while rows := cursor.fetchmany(at_once):
        yield rows


def _count_topic(outcome: Outcome, cluster: Cluster) -> None:
    """Read the whole topic by its headers: how many events are in it, how often, and whether each partition's follow one another."""
    times = array("B", bytes(outcome.events + 1))
    epochs: set[int] = set()
    with EventReader(cluster, catalogue=None) as reader:
        bounds = reader.bounds(range(reader.partitions()))
        chains = {number: Chain(0) for number in bounds}
        ends = {number: end for number, (_, end) in bounds.items()}
        reader.assign(dict.fromkeys(bounds))
        while any(reader.position(number) < end for number, end in ends.items()):
            for record in reader.poll(0.5, 5_000):
                epochs.add(record.epoch)
                if record.position > record.previous:
                    times[record.position] += 1
                chains[record.partition].admit(record)
    assert {chain.upto for chain in chains.values()} == {outcome.events}
    outcome.epochs = len(epochs)
    outcome.distinct = sum(1 for count in times if count)
    outcome.repeated = sum(times) - outcome.distinct


def _wait(reached: Callable[[], bool], there: Fleet) -> None:
    deadline = time.monotonic() + STILL_AFTER
    while not reached():
        assert time.monotonic() < deadline, [there.last_words(name) for name in there.running]
        assert not there.ended()
        time.sleep(LOOK_EVERY)


def main() -> None:
    """Prove it with as many events as are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.million", description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=1_000_000)
    events = parser.parse_args().events

    def say(line: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="daybook-million-") as folder, database() as postgres, running(program()) as broker:
        outcome = prove(events, Path(folder), postgres, broker, say)
    say(str(outcome))
    for wrong in [*(outcome.misplaced or ()), *(outcome.apart or ())]:
        say(wrong)


if __name__ == "__main__":
    main()
