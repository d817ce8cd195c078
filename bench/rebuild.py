"""Rebuilding every read model, from the SQLite log and from the archive, beside the library's loop and beside the limit that DuckDB sets."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import Event
from time import perf_counter

import duckdb

from api.demo.fill import fill
from api.folder import Folder
from api.settings import Settings
from api.wiring import Daybook, open_books, open_daybook
from bench import library
from bench.figures import ROUNDS, Figure
from bench.settled import copies
from commands.order import Order, Receipt
from projections.archive import filed
from projections.catalogue import FOLDS
from projections.plan import plan
from projections.sql import quoted, used_values
from projections.values import Envelope, Field
from replay.archive.archive import Archive
from replay.archive.manifest import load
from tests.postgres import serving

EVENTS = 200_000
LIBRARY_EVENTS = 5_000
FILLED = 100_000
"""Events of a made-up company, which are then copied under other ids."""
TIMES = (10, 100) if os.environ.get("DAYBOOK_BENCH_LARGE") else (10,)
WRITERS = 8
QUIET = 5.0
"""Seconds in which commands are counted while nothing is rebuilt."""
MEBIBYTE = 1024 * 1024


def measure(folder: Path) -> list[Figure]:
    """Events a second into all lookups and facts, beside the serving versions; memory; and commands meanwhile."""
    loop = _library(folder)
    return [_from_log(folder, loop), *_from_archive(folder, loop)]


def _library(folder: Path) -> float:
    found: list[float] = []
    for number in range(ROUNDS):
        library.save_in_hundreds(folder / f"library{number}.db", LIBRARY_EVENTS)
        found.append(library.project_one_by_one(folder / f"library{number}.db", folder / f"view{number}.db", LIBRARY_EVENTS))
    return median(found)


def _from_log(folder: Path, loop: float) -> Figure:
    settings = Settings(data=folder / "rebuilt")
    with open_books(settings) as books:
        events = fill(books.log, events=EVENTS).events
    ours: list[float] = []
    with open_daybook(settings) as daybook:
        for _ in range(ROUNDS):
            started = perf_counter()
            daybook.tables.rebuild()
            ours.append(events / (perf_counter() - started))
    name = "rebuild of all read models from the log"
    return Figure(name, median(ours), "events/s", "the library's loop, one read model", loop, "≥ 300,000/s")


def _from_archive(folder: Path, loop: float) -> list[Figure]:
    settings = Settings(data=folder / "archived")
    with open_books(settings) as books:
        fill(books.log, events=FILLED)
        list(Archive(Folder(settings.data).archive, books.log).keep_up(short=True))
    figures: list[Figure] = []
    seconds: dict[int, float] = {}
    for times in TIMES:
        source = folder / f"archive{times}"
        copies(Folder(settings.data).archive, source, times)
        told = _rebuilt(source, folder / f"models{times}")
        events, name = told["events"], f"rebuild from the archive, {told['events'] / 1e6:.0f} M events"
        seconds[times] = told["whole"]
        figures += [
            Figure(f"{name}: folded and loaded", events / told["fold"], "events/s", "the library's loop", loop, "≥ 1,000,000/s, ≥ 300 ×"),
            Figure(f"{name}: and checked and switched", events / told["whole"], "events/s", "the library's loop", loop),
            Figure(
                f"{name}: beside the limit", events / told["fold"], "events/s", "read and group once", events / _limit(source), "≥ 0.25 ×"
            ),
            Figure(f"{name}: memory", told["resident"] / MEBIBYTE, "MiB", goal="≤ 2,048 MiB"),
        ]
    figures += _into_postgres(folder, folder / f"archive{TIMES[0]}", loop)
    if len(seconds) > 1:
        one, ten = (seconds[times] for times in TIMES)
        figures.append(Figure("rebuild from the archive: time of 10 M events", ten, "s", "that of 1 M", one, "≤ 11 ×"))
    return [*figures, _commands(settings)]


def _into_postgres(folder: Path, source: Path, loop: float) -> list[Figure]:
    """The same with lookups in PostgreSQL, by binary COPY; its own memory is not counted."""
    with serving() as url:
        told = _rebuilt(source, folder / "models_postgres", url)
    events, name = told["events"], f"rebuild from the archive, {told['events'] / 1e6:.0f} M events, lookups in PostgreSQL"
    return [
        Figure(f"{name}: folded and loaded", events / told["fold"], "events/s", "the library's loop", loop, "≥ 1,000,000/s, ≥ 300 ×"),
        Figure(f"{name}: and checked and switched", events / told["whole"], "events/s", "the library's loop", loop),
    ]


def _rebuilt(source: Path, place: Path, url: str | None = None) -> dict[str, float]:
    """What a process of its own tells of a rebuild beside versions that serve: seconds to fold, and in whole; events; memory."""
    place.mkdir()
    command = [sys.executable, "-m", "bench.rebuilding", str(source), str(place), *([url] if url else [])]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert not told["again_apart"]
    whole = sum(told[f"again_{step}"] for step in ("fold", "check", "switch"))
    return {"events": told["events"], "resident": told["resident"], "fold": told["again_fold"], "whole": whole}


def _limit(source: Path) -> float:
    """Seconds in which DuckDB reads the columns that the folds use, and groups them by record, and does nothing with that."""
    segments = load(source)
    plans = [plan(fold) for fold in FOLDS]
    used = {event.type: values for event, values in used_values([(each, each.lanes) for each in plans]).items()}
    began = perf_counter()
    with duckdb.connect(config={"threads": os.cpu_count() or 1, "preserve_insertion_order": False, "memory_limit": "1500MB"}) as connection:
        for name, values in used.items():
            if files := [source / segment.files[name].name for segment in segments if name in segment.files]:
                wanted = {*values, Envelope("stream_id")}
                columns = [quoted(f"d_{each.name}") for each in wanted if isinstance(each, Field)]
                columns += [
                    quoted(f"e_{each.name}") for each in wanted if isinstance(each, Envelope) and each.name not in ("position", "type")
                ]
                most = ", ".join(f"max({column})" for column in [*columns, "position"])
                connection.execute(f"CREATE TEMP TABLE grouped AS SELECT {most} FROM ({filed(wanted, files)}) GROUP BY e_stream_id")
                connection.execute("DROP TABLE grouped")
    return perf_counter() - began


def _commands(settings: Settings) -> Figure:
    """Commands a second that a process takes while it rebuilds, beside those without."""
    with open_daybook(settings, follow=True) as daybook:
        quiet = _busy(daybook, Event(), QUIET)
        over = Event()
        with ThreadPoolExecutor(1) as rebuilding:
            rebuilt = rebuilding.submit(daybook.tables.rebuild)
            rebuilt.add_done_callback(lambda _: over.set())
            meanwhile = _busy(daybook, over, 600.0)
            rebuilt.result()
    return Figure("commands while all read models are rebuilt", meanwhile, "commands/s", "without", quiet, "≥ 0.5 ×")


def _busy(daybook: Daybook, over: Event, seconds: float) -> float:
    """Commands a second of several that ask one after the other, until it is `over`."""
    began = perf_counter()

    def ask(writer: int) -> int:
        done = 0
        while not over.is_set() and perf_counter() - began < seconds:
            data = {"name": f"Customer {writer} {done}"}
            command_id = f"{began}-{writer}-{done}"
            order = Order(name="register_customer", data=data, actor="user:bench", source="api", command_id=command_id)
            (outcome,) = daybook.group.submit([order]).result()
            assert isinstance(outcome, Receipt)
            done += 1
        return done

    with ThreadPoolExecutor(WRITERS) as writers:
        return sum(writers.map(ask, range(WRITERS))) / (perf_counter() - began)
