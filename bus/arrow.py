"""Stored events as Arrow batches, brought up to today's shapes: the way to fold many at once."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from bus.codec import VERSION_FROM, Codec

SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
    ]
)
BATCH_ROWS = 4096


def batch_of(rows: Sequence[tuple[int, str, int, str, str]]) -> pa.RecordBatch:
    """One batch of rows."""
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def reader(batches: Iterable[pa.RecordBatch], codec: Codec) -> pa.RecordBatchReader:
    """The batches with every state in today's shape. Raises UnknownEventType while being read."""
    return pa.RecordBatchReader.from_batches(SCHEMA, (today(batch, codec) for batch in batches))


def today(batch: pa.RecordBatch, codec: Codec) -> pa.RecordBatch:
    """The batch with every state in today's shape; almost always that is the batch itself, seen without parsing a row."""
    begins = pc.binary_slice(pc.cast(batch["state"], pa.binary()), VERSION_FROM, VERSION_FROM + 4)
    shapes = pc.unique(pc.binary_join_element_wise(batch["type"], pc.cast(begins, pa.string()), "|")).to_pylist()
    known = codec.catalogue.known
    if all(begin.startswith(f"{known(event_type).v},") for event_type, begin in (shape.split("|", 1) for shape in shapes)):
        return batch
    rows = zip(batch["type"].to_pylist(), batch["state"].to_pylist(), strict=True)
    states = pa.array([codec.upcast(event_type, state) for event_type, state in rows], pa.string())
    return batch.set_column(4, SCHEMA.field("state"), states)
