"""Hashing a log of a million events into its Merkle tree, and verifying all of it, beside one plain pass that only reads and hashes."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

from api.auditing import key_of
from api.folder import Folder
from api.settings import Settings
from bench.copies import history
from bench.figures import ROUNDS, Figure
from bus.stored import open_stored
from replay.audit.keeping import catch_up
from replay.audit.tree import Tree
from replay.audit.verification import Outside, verify

EVENTS = 1_000_000
STEP = 4096


def measure(folder: Path) -> list[Figure]:
    """Events a second, verified and hashed for the first time."""
    settings = Settings(data=folder / "audited")
    history(settings, EVENTS)
    place = Folder(settings.data)
    with closing(Tree(place.audit)) as tree, closing(open_stored(place.log)) as stored:
        began = perf_counter()
        events = catch_up(tree, stored)
        hashed = events / (perf_counter() - began)
    outside = Outside(keys=[key_of(settings).public])
    ours, plain = list[float](), list[float]()
    for _ in range(ROUNDS):
        began = perf_counter()
        assert verify(str(place.log), place.audit, outside).sound
        ours.append(events / (perf_counter() - began))
        plain.append(events / _plain(place.log))
    return [
        Figure("audit: verification of the whole log", median(ours), "events/s", "read and hash once", median(plain), "≥ 500,000/s"),
        Figure("audit: hashing into the tree", hashed, "events/s", "read and hash once", median(plain)),
    ]


def _plain(log: Path) -> float:
    """Seconds in which one process reads every state and hashes it, and does nothing with that."""
    began = perf_counter()
    with closing(sqlite3.connect(log)) as connection:
        rows = connection.execute("SELECT CAST(state AS BLOB) FROM stored_events ORDER BY position")
        while some := rows.fetchmany(STEP):
            for (state,) in some:
                sha256(state).digest()
    return perf_counter() - began
