"""Stored events as Arrow batches, brought up to today's shapes: the way to fold many at once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from bus.codec import VERSION_FROM, Codec

SCHEMA: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
    ]
)
BATCH_ROWS: Final = 4096


def batch_of(rows: Sequence[tuple[int, str, int, str, str]]) -> pa.RecordBatch:
    """One batch of rows: position, stream, version, type, state."""
    positions, streams, versions, types, states = zip(*rows, strict=True)
    columns = [
        pa.array(positions, pa.int64()),
        pa.array(streams, pa.string()),
        pa.array(versions, pa.int32()),
        pa.array(types, pa.string()),
        pa.array(states, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def reader(batches: Iterable[pa.RecordBatch], codec: Codec) -> pa.RecordBatchReader:
    """The batches with every state in today's shape. Raises UnknownEventType while being read."""
    return pa.RecordBatchReader.from_batches(SCHEMA, _brought_up(batches, codec))


def _brought_up(batches: Iterable[pa.RecordBatch], codec: Codec) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield today(batch, codec)


def today(batch: pa.RecordBatch, codec: Codec) -> pa.RecordBatch:
    """The batch with every state in today's shape; almost always that is the batch itself, seen without parsing a row."""
    known = codec.catalogue.known
    if all(begin.startswith(f"{known(event_type).v},") for event_type, begin in _shapes(batch)):
        return batch
    states = cast("list[str]", batch["state"].to_pylist())
    types = cast("list[str]", batch["type"].to_pylist())
    upcast = [codec.upcast(event_type, state) for event_type, state in zip(types, states, strict=True)]
    return pa.RecordBatch.from_arrays([*batch.columns[:4], pa.array(upcast, pa.string())], schema=SCHEMA)


def _shapes(batch: pa.RecordBatch) -> Iterable[Sequence[str]]:
    """Each type in the batch with the characters at the place of the shape version."""
    compute: Any = pc
    begins = compute.binary_slice(compute.cast(batch["state"], pa.binary()), VERSION_FROM, VERSION_FROM + 4)
    pairs = compute.unique(compute.binary_join_element_wise(batch["type"], compute.cast(begins, pa.string()), "|"))
    return (str(pair).split("|", 1) for pair in pairs.to_pylist())
