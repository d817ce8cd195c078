"""Commands in bulk into SQLite, decided and durable, beside the library's own `save()` and SQLite alone."""

from pathlib import Path
from statistics import median
from time import perf_counter

from api.cli.main import tune_interpreter
from api.ingest import ingest
from api.lines import Door
from api.settings import Settings
from api.wiring import open_books
from bench import library
from bench.business import lines
from bench.figures import ROUNDS, Figure

GROUPS = 3_000
LIBRARY_EVENTS = 30_000
STATE = b"x" * 450
"""About as long as an event is stored."""


def measure(folder: Path) -> list[Figure]:
    """Events a second from NDJSON lines to the durable log, with the interpreter tuned as the command line does (for all alike)."""
    tune_interpreter()
    ours, saved, inserted = [], [], []
    for number in range(ROUNDS):
        ours.append(_ingest(folder / f"ours{number}"))
        saved.append(library.save_in_hundreds(folder / f"saved{number}.db", LIBRARY_EVENTS))
        inserted.append(library.executemany(folder / f"inserted{number}.db", LIBRARY_EVENTS, STATE))
    rate = median(ours)
    return [
        Figure(
            "bulk commands into SQLite, decided and durable", rate, "events/s", "the library's save() by 100", median(saved), "≥ 50,000/s"
        ),
        Figure("the same", rate, "events/s", "executemany alone", median(inserted)),
    ]


def _ingest(data: Path) -> float:
    prepared = list(lines(GROUPS))
    with open_books(Settings(data=data)) as books:
        started = perf_counter()
        tally = ingest(prepared, books.dispatcher, Door("user:bench", "ingest"), refused=print, advanced=lambda _: None)
        return tally.events / (perf_counter() - started)
