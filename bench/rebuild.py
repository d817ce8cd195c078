"""Rebuilding every read model from the SQLite log, beside the library's projection loop of one event per transaction."""

from pathlib import Path
from statistics import median
from time import perf_counter

from api.demo.fill import fill
from api.settings import Settings
from api.wiring import open_books, open_daybook
from bench import library
from bench.figures import ROUNDS, Figure

EVENTS = 200_000
LIBRARY_EVENTS = 5_000


def measure(folder: Path) -> list[Figure]:
    """Events a second into all lookups and facts, beside the serving versions."""
    settings = Settings(data=folder / "rebuilt")
    with open_books(settings) as books:
        events = fill(books.log, events=EVENTS).events
    ours, theirs = list[float](), list[float]()
    with open_daybook(settings) as daybook:
        for number in range(ROUNDS):
            started = perf_counter()
            daybook.tables.rebuild()
            ours.append(events / (perf_counter() - started))
            library.save_in_hundreds(folder / f"library{number}.db", LIBRARY_EVENTS)
            theirs.append(library.project_one_by_one(folder / f"library{number}.db", folder / f"view{number}.db", LIBRARY_EVENTS))
    loop = "the library's loop, one read model"
    return [Figure("rebuild of all read models from the log", median(ours), "events/s", loop, median(theirs), "≥ 300,000/s")]
