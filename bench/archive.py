"""Writing the archive, beside reading the log once and doing nothing with it."""

import shutil
from pathlib import Path
from statistics import median
from time import perf_counter

from api.demo.fill import fill
from api.folder import Folder
from api.settings import Settings
from api.wiring import open_books
from bench.figures import ROUNDS, Figure
from replay.archive.archive import Archive

EVENTS = 262_144


def measure(folder: Path) -> list[Figure]:
    """Events a second into typed files, hashed and durable; and hashing them again."""
    settings = Settings(data=folder / "written")
    place = Folder(settings.data).archive
    ours, theirs, hashed = list[float](), list[float](), list[float]()
    with open_books(settings) as books:
        events = fill(books.log, events=EVENTS).events
        for _ in range(ROUNDS):
            shutil.rmtree(place, ignore_errors=True)
            archive = Archive(place, books.log)
            began = perf_counter()
            list(archive.keep_up(short=True, threads=2))
            ours.append(events / (perf_counter() - began))
            began = perf_counter()
            assert not archive.verify()
            hashed.append(events / (perf_counter() - began))
            began = perf_counter()
            for _batch in books.log.arrow(0, books.log.head()):
                pass
            theirs.append(events / (perf_counter() - began))
    return [
        Figure("archive: writing", median(ours), "events/s", "read the log once", median(theirs), "≥ 300,000/s"),
        Figure("archive: verifying every file", median(hashed), "events/s"),
    ]
