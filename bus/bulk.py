"""Long ranges of the log as Arrow batches: from SQLite by a process of its own, from PostgreSQL by a connection of its own.

Why not SQLite in this process: the driver that reads so fast brings a SQLite of its own, and two copies of SQLite in one process
undo each other's locks, because a process that closes a file drops all locks it has on it.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from adbc_driver_postgresql import dbapi

from bus.arrow import SCHEMA
from bus.errors import LogUnavailable
from bus.postgres import BY_INDEX, SELECT

WORTH_A_PROCESS: Final = 100_000
"""Events from which on the half second that a process takes to start is won back."""
WORTH_A_CONNECTION: Final = 10_000
"""Events from which on a connection that speaks Arrow is worth opening."""
_PROGRAM: Final = Path(__file__).with_name("bulk_program.py")


def from_sqlite(path: str, after: int, upto: int) -> Iterator[pa.RecordBatch]:
    """The events after position `after` up to `upto` in order; the process ends with the iteration. Raises LogUnavailable."""
    command = [sys.executable, "-P", str(_PROGRAM), path, str(after), str(upto)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own program
        try:
            yield from _stream(process)
        finally:
            process.kill()


def _stream(process: "subprocess.Popen[bytes]") -> Iterator[pa.RecordBatch]:
    if process.stdout is None or process.stderr is None:
        return
    output: Any = process.stdout
    try:
        with pa.ipc.open_stream(output) as stream:
            yield from stream
    except pa.ArrowInvalid as error:
        raise LogUnavailable("log.unavailable", f"the log could not be read in bulk ({error})") from error
    said = process.stderr.read().decode(errors="replace").strip()
    if process.wait():
        raise LogUnavailable(
            "log.unavailable", f"the log could not be read in bulk ({said.splitlines()[-1] if said else process.returncode})"
        )


def from_postgres(url: str, after: int, upto: int) -> Iterator[pa.RecordBatch]:
    """The events after position `after` up to `upto` in order, over a connection of its own that speaks Arrow. Raises LogUnavailable."""
    try:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            for setting in BY_INDEX:
                cursor.execute(setting)
            cursor.execute(f"{SELECT.as_string()} WHERE position > {after} AND position <= {upto} ORDER BY position")
            for batch in cursor.fetch_record_batch():
                yield pa.RecordBatch.from_arrays(batch.columns, schema=SCHEMA)
    except dbapi.Error as error:
        raise LogUnavailable("log.unavailable", f"the log could not be read in bulk ({error})") from error
