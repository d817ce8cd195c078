"""The program that `readmodels.loading` runs: puts Arrow streams from its input into tables of an SQLite file.

It is run by its path and imports nothing of ours, so that it starts quickly and from anywhere. Its input is lines: `load` with a
table's name, followed by an Arrow stream, is answered by an empty line when all rows are in; `run` with a statement is not answered.
"""

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from adbc_driver_sqlite import dbapi

REST = 0.1
"""Of the time that a transaction took, for writers that wait for their turn: SQLite's try again every so often, and keep no queue."""

CACHE = ("cache_size=-65536", "wal_autocheckpoint=8192")
"""64 MiB of pages, and 32 MiB of them in the write-ahead log before they go into the file: that waits for the disk."""


def main(path: str, busy_seconds: float) -> None:
    """Do what the input says with the file at `path`, each batch and each statement in a transaction of its own."""
    pipe: Any = sys.stdin.buffer
    parent = os.getppid()
    with dbapi.connect(path, autocommit=True) as connection, connection.cursor() as cursor:
        for pragma in (f"busy_timeout={int(busy_seconds * 1000)}", "synchronous=NORMAL", "temp_store=MEMORY", *CACHE):
            cursor.execute(f"PRAGMA {pragma}")
            cursor.fetchall()

        @contextmanager
        def turn() -> Generator[None]:
            cursor.execute("BEGIN IMMEDIATE")
            if os.getppid() != parent:
                sys.exit("whoever began this is gone, and its tables may be another's by now")
            started = time.perf_counter()
            yield
            cursor.execute("COMMIT")
            time.sleep(REST * (time.perf_counter() - started))

        while line := pipe.readline().decode().rstrip("\n"):
            order, _, what = line.partition(" ")
            if order == "run":
                with turn():
                    cursor.execute(what)
                continue
            with pa.ipc.open_stream(pipe) as stream:
                for batch in stream:
                    with turn():
                        cursor.adbc_ingest(what, batch, mode="append")
            sys.stdout.write("\n")
            sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], float(sys.argv[2]))
    except dbapi.Error as error:
        sys.exit(" ".join(str(error).split()))
