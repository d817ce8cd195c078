"""Events' stored JSON as typed columns, quickly: by Arrow's JSON reader where it says the same as the folds, by theirs where it may not.

The rule is that of `projections.sql.typed`, by which the folds read the log: a value that is not what the event's class says is
an error. Arrow's reader is three times as fast. What it refuses, and what has fields left out, is read the other way.
"""

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.json as pj

from domain.event import Event
from projections.archive import column
from projections.shapes import ENVELOPE, shape
from projections.sql import quoted
from readmodels.facts import NATIVE
from readmodels.layout import Kind

JSON: Final[Mapping[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.ID: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DECIMAL: pa.string(),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.DATE: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
}
"""As what the reader takes the kinds; texts of ids, amounts and days are made native by DuckDB, as the folds do."""
OUTSIDE: Final = ("position", "stream_id", "version")
"""Parts of the envelope that are columns of the log."""
INSIDE: Final = tuple(name for name in ENVELOPE if name not in (*OUTSIDE, "type"))


class NotPlain(Exception):
    """These events are not surely read alike by both readers."""


def parsed(event: type[Event], piece: pa.Table) -> pa.Table:
    """Events of one type (position, stream_id, version, state) with their values as columns `e_…` and `d_…`. Raises NotPlain."""
    envelope = [pa.field(name, JSON[ENVELOPE[name]]) for name in INSIDE]
    data = [pa.field(name, JSON[found.kind]) for name, found in shape(event).items()]
    schema = pa.schema([*envelope, pa.field("v", pa.int64()), pa.field("data", pa.struct(data))])
    states = _one(piece.column("state"))
    text = _bytes(states)
    source: Any = pa.BufferReader(text)
    try:
        table = pj.read_json(
            source,
            read_options=pj.ReadOptions(use_threads=False, block_size=text.size + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, newlines_in_values=True, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid as error:
        raise NotPlain(str(error)) from error
    values = _one(table.column("data"))
    names = [f"e_{name}" for name in INSIDE] + [f"d_{field.name}" for field in data]
    arrays = [_one(table.column(name)) for name in INSIDE] + [values.field(place) for place in range(len(data))]
    if table.num_rows != piece.num_rows or values.null_count or _nulls(arrays) != _told_nulls(text):
        raise NotPlain("fields are left out, or texts look like it")
    outside = [piece.column(name) for name in OUTSIDE]
    return pa.table([*outside, *map(_without_zone, arrays)], names=["position", "e_stream_id", "e_version", *names])


def _without_zone(array: Any) -> Any:
    """Times as DuckDB has them, the same moments in UTC; it would ask its calendar for each, at ten times the cost."""
    return array.view(pa.timestamp("us")) if pa.types.is_timestamp(array.type) else array


def _one(column: Any) -> Any:
    """A column in one piece."""
    together: Any = column.combine_chunks()
    return together.chunk(0) if hasattr(together, "chunk") else together


def _bytes(states: Any) -> pa.Buffer:
    """The JSON of all events in a row."""
    _, offsets, texts = states.buffers()
    places = pa.Array.from_buffers(pa.int32(), len(states) + 1, [None, offsets], offset=states.offset)
    start, end = places[0].as_py(), places[len(states)].as_py()
    return texts.slice(start, end - start)


def _nulls(arrays: list[Any]) -> int:
    return sum(array.null_count for array in arrays)


def _told_nulls(text: pa.Buffer) -> int:
    """How often the JSON says null. A text that holds `":null` counts too, so this may be too much, never too little."""
    return text.to_pybytes().count(b'":null')


def selected(event: type[Event], source: str) -> str:
    """SELECT the columns of a file from `source`, which has them as `parsed` or `projections.sql.typed` gives them."""
    columns = ["position::BIGINT AS position"]
    for name, kind in ENVELOPE.items():
        if name == "type":
            columns.append(f"'{event.type}' AS type")
        elif name != "position":
            columns.append(f"{quoted('e_' + name)}::{NATIVE[kind]} AS {quoted(name)}")
    columns += [f"{quoted('d_' + name)}::{NATIVE[found.kind]} AS {quoted(column(name))}" for name, found in shape(event).items()]
    return f"SELECT {', '.join(columns)} FROM {source}"


def session(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that makes values native and writes files."""
    connection = duckdb.connect(":memory:", config={"threads": threads, "memory_limit": "400MB"})
    connection.execute("SET TimeZone = 'UTC'")
    return connection
