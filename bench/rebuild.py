"""Rebuilding every read model from the SQLite log, beside the library's projection loop of one event per transaction."""

from pathlib import Path
from statistics import median
from time import perf_counter

from api.demo.fill import fill
from api.settings import Settings
from api.wiring import open_books, open_daybook
from bench import library
from bench.figures import ROUNDS, Figure
from replay.rebuild import rebuild

EVENTS = 300_000
LIBRARY_EVENTS = 5_000
