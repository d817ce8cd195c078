"""Folding a topic into fresh lookups by one worker and by two, from when all are at work until nothing is left."""

import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import psycopg
from kafka.admin import KafkaAdminClient

from bench.cpu import cores
from bench.publishing import PARTITIONS
from bench.scaled import Command, Scaled, fresh_lookups
from projections.worker import GROUP

LOOK = 0.02
PATIENCE = 300.0
FOLD = "customer_360"
WORKERS = "workers"
"""What the workers are called among the parts."""

Positions = Sequence[Sequence[int]]
"""By partition the positions of its events, in order."""


def positions(records: Sequence[Any]) -> Positions:
    """Where the events of records that were read stand."""
    found: list[list[int]] = [[] for _ in range(PARTITIONS)]
    for record in records:
        said = dict(record.headers)
        if "ce_position" in said:
            found[record.partition].append(int(said["ce_position"]))
    return found


def folded(scaled: Scaled, prefix: str, events: Positions, workers: int) -> tuple[float, dict[str, float]]:
    """Events a second, and how many cores each part kept busy."""
    with fresh_lookups(scaled.server) as url, psycopg.connect(url, autocommit=True) as connection, ExitStack() as stack:
        settings = scaled.settings(prefix, url)
        commands = [stack.enter_context(scaled.running(settings, "work")) for _ in range(workers)]
        meter = scaled.meter(**{WORKERS: [command.pid for command in commands]})
        until = time.perf_counter() + PATIENCE
        while not (_at_work(commands) and (before := _folded(connection, events))):
            _wait(until)
        began = meter.read()
        total = sum(map(len, events))
        while _folded(connection, events) < total:
            _wait(until)
        ended = meter.read()
    _forget_group(scaled, prefix)
    return (total - before) / (ended["clock"] - began["clock"]), cores(began, ended)


def _at_work(commands: Sequence[Command]) -> bool:
    """Whether each has its share of the partitions."""
    told = [[each["partitions"] for each in command.said() if "partitions" in each] for command in commands]
    shares = [len(each[-1]) if each else 0 for each in told]
    return all(shares) and sum(shares) == PARTITIONS


def _folded(connection: psycopg.Connection[Any], events: Positions) -> int:
    """How many events are in the lookups, by the register of one read model; all others move on in the same transactions."""
    rows = connection.execute("SELECT partition, position FROM lookups.partitions WHERE fold = %s", (FOLD,)).fetchall()
    return sum(bisect_right(events[partition], position) for partition, position in rows)


def _wait(until: float) -> None:
    if time.perf_counter() > until:
        raise RuntimeError("the workers did not fold everything")
    time.sleep(LOOK)


def _forget_group(scaled: Scaled, prefix: str) -> None:
    """Let the next workers begin at the beginning of the topic, as the first ones did."""
    admin = KafkaAdminClient(bootstrap_servers=scaled.broker.address)
    admin.delete_groups([f"{prefix}-{GROUP}"])
    admin.close()
