"""Large histories for measurements: a made-up company's archive many times over, each copy under ids of its own."""

import threading
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from bus.arrow import SCHEMA
from domain.catalogue import EVENTS
from domain.envelope import StoredEvent
from projections.archive import column, fingerprint
from projections.shapes import ENVELOPE, shape
from projections.sql import quoted
from readmodels.layout import Kind
from replay.archive.archive import Archive
from replay.archive.manifest import End, File, Segment, load, save
from replay.archive.writing import sync_file

CLASSES = {event.type: event for event in EVENTS}


class Settled:
    """A log whose events are all archived; nothing of it is ever read but where it ends."""

    def __init__(self, ends: Sequence[End]) -> None:
        self._ends = {end.position: end.id for end in ends}

    def head(self) -> int:
        """The last position."""
        return max(self._ends)

    def read_at(self, positions: Sequence[int]) -> list[StoredEvent]:
        """The first and last events of segments, as far as an archive looks at them."""
        return [_end(position, self._ends[position]) for position in positions]

    def read(self, after: int, limit: int) -> list[StoredEvent]:  # noqa: ARG002 - as the port has it
        """Nothing is new."""
        return []

    def wait(self, after: int, timeout: float) -> bool:  # noqa: ARG002 - as the port has it
        """Nothing ever comes."""
        threading.Event().wait(timeout)
        return False

    def arrow(self, after: int, upto: int) -> pa.RecordBatchReader:
        """Nothing is left to the log."""
        assert after >= upto, "an archived event was read from the log"
        return pa.RecordBatchReader.from_batches(SCHEMA, [])


def _end(position: int, event_id: str) -> StoredEvent:
    nothing = dict.fromkeys(("stream_id", "type", "occurred_at", "recorded_at", "actor", "source", "command_id"), "")
    return StoredEvent(position=position, version=1, id=event_id, data={}, **nothing)


def copies(source: Path, target: Path, times: int, together: int = 2) -> tuple[Archive, Settled]:
    """The archive at `source` `times` over, `together` copies in one segment; with the log that it would be of."""
    originals = load(source)
    length = originals[-1].upto
    segments: list[Segment] = []
    target.mkdir()
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for first in range(0, times, together):
            some = range(first, min(times, first + together))
            files = {name: _copied(connection, source, originals, target, name, some, length) for name in originals[0].files}
            ends = connection.execute(
                " UNION ALL ".join(f"SELECT position, id::VARCHAR FROM read_parquet('{target / file.name}')" for file in files.values())
                + " ORDER BY position"
            ).fetchall()
            span = (first * length, (some[-1] + 1) * length)
            found = (End(*ends[0]), End(*ends[-1]))
            segments.append(Segment(*span, sum(file.rows for file in files.values()), found, files, {}))
    save(target, segments)
    log = Settled([end for segment in segments for end in segment.ends])
    return Archive(target, log), log


def _copied(
    connection: duckdb.DuckDBPyConnection, source: Path, originals: Sequence[Segment], target: Path, name: str, some: range, length: int
) -> File:
    event = CLASSES[name]
    kinds = {**ENVELOPE, **{column(field): found.kind for field, found in shape(event).items()}}
    paths = [str(source / segment.files[name].name) for segment in originals if name in segment.files]
    selects: list[str] = []
    for copy in some:
        columns = [f"{_other(quoted(each), kind, copy, length)} AS {quoted(each)}" for each, kind in kinds.items()]
        selects.append(f"SELECT {', '.join(columns)} FROM read_parquet({paths})")
    place = target / name / f"{some[0] * length + 1:012}-{(some[-1] + 1) * length:012}.parquet"
    place.parent.mkdir(exist_ok=True)
    connection.execute(f"COPY (FROM ({' UNION ALL '.join(selects)}) ORDER BY position) TO '{place}' (FORMAT parquet, COMPRESSION zstd)")
    rows, first, last = connection.execute(f"SELECT count(*), min(position), max(position) FROM read_parquet('{place}')").fetchall()[0]
    size, digest = sync_file(place)
    return File(f"{name}/{place.name}", rows, first, last, size, digest, fingerprint(event))


def _other(name: str, kind: Kind, copy: int, length: int) -> str:
    if name == '"position"':
        return f"{name} + {copy * length}"
    return f"(printf('%04x', {copy}) || substr({name}::VARCHAR, 5))::UUID" if kind is Kind.ID and copy else name
