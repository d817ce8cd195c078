"""A rebuild in a process of its own, so that its memory can be seen: `python -m bench.rebuilding ARCHIVE FOLDER [LOOKUPS_URL]`."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, process_time

import psutil

from bench.settled import Settled
from projections.build import Builder
from projections.catalogue import FOLDS, layouts
from projections.engine import Engine
from projections.fold import Home
from projections.homes import FactTables, LookupTables
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore
from replay.archive.archive import Archive
from replay.archive.manifest import load

LOOK = 0.2
"""Seconds between two looks at the memory."""


def resident() -> int:
    """Bytes of this process and of those that it started."""
    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def measure(source: Path, folder: Path, url: str | None) -> dict[str, float]:
    """Rebuild all read models twice, the second time beside what the first made: seconds of each step, and the most memory."""
    log = Settled([end for segment in load(source) for end in segment.ends])
    lookups = LookupStore.postgres(url, layouts(Home.LOOKUPS)) if url else LookupStore.sqlite(folder / "lookups.db", layouts(Home.LOOKUPS))
    facts = FactStore(folder / "facts.duckdb", layouts(Home.FACTS))
    engines = [Engine(LookupTables(lookups), FOLDS, log), Engine(FactTables(facts), FOLDS, log)]
    builder = Builder(log, Archive(source, log))
    most, over = resident(), Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(LOOK):
            most = max(most, resident())

    watching = Thread(target=watch)
    watching.start()
    told: dict[str, float] = {"events": log.head()}
    for turn in ("first", "again"):
        began, worked = perf_counter(), process_time() + _children()
        drafts = builder.build({engine: list(engine.plans) for engine in engines})
        built = perf_counter()
        apart = sum(each.rows_apart for each in builder.check(drafts))
        checked = perf_counter()
        builder.switch(drafts)
        switched = perf_counter()
        told |= {f"{turn}_fold": built - began, f"{turn}_check": checked - built, f"{turn}_switch": switched - checked}
        told |= {f"{turn}_cpu": process_time() + _children() - worked, f"{turn}_apart": apart}
    over.set()
    watching.join()
    facts.close()
    lookups.close()
    return {**told, "resident": most}


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)))
