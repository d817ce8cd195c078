"""The program that `readmodels.loading` runs: puts Arrow streams from its input into tables of an SQLite file.

It is run by its path and imports nothing of ours, so that it starts quickly and from anywhere. Its input is, for each table, a line
with the table's name and an Arrow stream; it answers each with an empty line when all rows are in.
"""

import os
import sys
import time
from typing import Any

import pyarrow as pa
from adbc_driver_sqlite import dbapi

REST = 0.1
"""Of the time that a transaction took, for writers that wait for their turn: SQLite's try again every so often, and keep no queue."""


def main(path: str, busy_seconds: float) -> None:
    """Load what the input has into the file at `path`, each batch in a transaction of its own."""
    pipe: Any = sys.stdin.buffer
    parent = os.getppid()
    with dbapi.connect(path, autocommit=True) as connection, connection.cursor() as cursor:
        for pragma in (f"busy_timeout={int(busy_seconds * 1000)}", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
            cursor.execute(f"PRAGMA {pragma}")
            cursor.fetchall()
        while table := pipe.readline().decode().rstrip("\n"):
            with pa.ipc.open_stream(pipe) as stream:
                for batch in stream:
                    cursor.execute("BEGIN IMMEDIATE")
                    if os.getppid() != parent:
                        sys.exit("whoever began this is gone, and its tables may be another's by now")
                    started = time.perf_counter()
                    cursor.adbc_ingest(table, batch, mode="append")
                    cursor.execute("COMMIT")
                    time.sleep(REST * (time.perf_counter() - started))
            sys.stdout.write("\n")
            sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], float(sys.argv[2]))
    except dbapi.Error as error:
        sys.exit(" ".join(str(error).split()))
