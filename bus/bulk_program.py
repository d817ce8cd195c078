"""The program that `bus.bulk` runs: writes a range of a SQLite log to its output as an Arrow stream.

It is run by its path and imports nothing of ours, so that it starts quickly and from anywhere.
"""

import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_sqlite import dbapi

SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
    ]
)
BATCH_ROWS = 8192
STEP = 8 * BATCH_ROWS
"""Events per statement: short ones, so that the log's write-ahead file is not kept from being brought in."""
SELECT = "SELECT position, originator_id, originator_version, topic, state FROM stored_events WHERE position > {} AND position <= {} ORDER BY position"


def main(path: str, after: int, upto: int) -> None:
    """Write the events after position `after` up to `upto`."""
    pipe: Any = sys.stdout.buffer
    with dbapi.connect(path) as connection, connection.cursor() as cursor, pa.ipc.new_stream(pipe, SCHEMA) as output:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
        for start in range(after, upto, STEP):
            cursor.execute(SELECT.format(start, min(start + STEP, upto)))
            for batch in cursor.fetch_record_batch():
                version = pc.cast(batch["originator_version"], pa.int32())
                output.write_batch(pa.RecordBatch.from_arrays([*batch.columns[:2], version, *batch.columns[3:]], schema=SCHEMA))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
