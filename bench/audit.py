"""Hashing a log of a million events into its Merkle tree, and verifying all of it, beside one plain pass that only reads and hashes."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

from api.auditing import key_of
from api.demo.fill import fill
from api.folder import Folder
from api.settings import Settings
from api.wiring import open_books
from bench.figures import ROUNDS, Figure
from bus.stored import open_stored
from replay.audit.keeping import catch_up
from replay.audit.tree import Tree
from replay.audit.verification import Outside, verify

FILLED = 100_000
"""Events of a made-up company, which are then repeated under other streams."""
COPIES = 10
STEP = 4096


def measure(folder: Path) -> list[Figure]:
    """Events a second, verified and hashed for the first time."""
    settings = Settings(data=folder / "audited")
    with open_books(settings) as books:
        fill(books.log, events=FILLED)
    place = Folder(settings.data)
    _repeat(place.log)
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


def _repeat(log: Path) -> None:
    """The same events again under other streams, with receipts, until there are `COPIES` times as many."""
    with closing(sqlite3.connect(log)) as connection, connection:
        (head,) = connection.execute("SELECT MAX(position) FROM stored_events").fetchone()
        for copy in range(1, COPIES):
            connection.execute(
                "INSERT INTO stored_events SELECT position + ?1, printf('%04x', ?2) || substr(originator_id, 5), originator_version, topic, state "
                "FROM stored_events WHERE position <= ?3",
                (copy * head, copy, head),
            )
            connection.execute(
                "INSERT INTO receipts SELECT command_id || '#' || ?2, fingerprint, stream_id, version, position + ?1, events "
                "FROM receipts WHERE position <= ?3 AND command_id NOT LIKE '%#%'",
                (copy * head, copy, head),
            )
