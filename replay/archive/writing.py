"""Writing one segment: the events of a range of positions, one file for each type, whole or not at all."""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from domain.catalogue import EVENTS
from domain.event import Event
from projections.archive import fingerprint
from projections.bulk import by_type, slices
from projections.feed import Feed
from projections.shapes import ENVELOPE, shape
from projections.sql import quoted, typed
from projections.values import Envelope, Field
from replay.archive import columns
from replay.archive.manifest import End, File, Segment, sync_folder

log = logging.getLogger(__name__)

STEP: Final = 16_384
"""Events that are parsed at a time: few enough that their texts stay in the processor's cache."""
CLASSES: Final[Mapping[str, type[Event]]] = {event.type: event for event in EVENTS}

Done = Callable[[int], None]
"""Told how many events of the segment are parsed."""


@dataclass(slots=True)
class Gathered:
    """What has been parsed of a segment so far."""

    tables: dict[str, list[pa.Table]] = field(default_factory=dict[str, list[pa.Table]])
    awkward: dict[str, list[pa.Table]] = field(default_factory=dict[str, list[pa.Table]])
    """Events that were not read quickly, as they are stored."""
    events: int = 0


def write(
    feed: Feed, folder: Path, after: int, upto: int, *, types: Collection[str] | None = None, threads: int = 1, done: Done | None = None
) -> Segment:
    """Write the files of the segment after position `after` up to `upto`, of all `types` unless said, durably, each under its own name.

    They are part of the archive once a manifest says so. Raises OSError or duckdb.Error when they cannot be written, and what
    reading the log raises.
    """
    gathered = _gathered(feed, after, upto, types, threads, done)
    ends = _ends(feed, gathered) if types is None else ()
    files: dict[str, File] = {}
    left: dict[str, str] = {}
    with columns.session(threads) as session, ThreadPoolExecutor(threads, "archive-write") as pool:
        waiting: dict[str, Future[File]] = {
            event_type: pool.submit(_written, session, folder / event_type / f"{after + 1:012}-{upto:012}.parquet", gathered)
            for event_type in sorted({*gathered.tables, *gathered.awkward})
        }
        for event_type, written in waiting.items():
            try:
                files[event_type] = written.result()
            except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
                left[event_type] = str(error).splitlines()[0]
                log.warning("%s after position %s up to %s stays in the log alone: %s", event_type, after, upto, left[event_type])
    for place in {(folder / file.name).parent for file in files.values()}:
        sync_folder(place)
    sync_folder(folder)
    return Segment(after, upto, gathered.events, ends, files, left)


def _gathered(feed: Feed, after: int, upto: int, types: Collection[str] | None, threads: int, done: Done | None) -> Gathered:
    gathered = Gathered()
    with ThreadPoolExecutor(threads, "archive-parse") as pool, closing(slices(feed.arrow(after, upto), STEP)) as tables:
        running: list[Future[list[tuple[str, pa.Table, bool]]]] = []
        for table in tables:
            gathered.events += table.num_rows
            running.append(pool.submit(_parsed, table, types))
            while len(running) > threads:
                _take(gathered, running.pop(0).result())
                if done is not None:
                    done(gathered.events)
        for future in running:
            _take(gathered, future.result())
    return gathered


def _parsed(table: pa.Table, types: Collection[str] | None) -> list[tuple[str, pa.Table, bool]]:
    """Each type's events of a slice, and whether they were read quickly."""
    if types is not None:
        compute: Any = pc
        table = table.filter(compute.is_in(table.column("type"), pa.array(sorted(types))))
    found: list[tuple[str, pa.Table, bool]] = []
    for event_type, piece in by_type(table) if table.num_rows else ():
        try:
            found.append((event_type, columns.parsed(CLASSES[event_type], piece), True))
        except columns.NotPlain:
            found.append((event_type, piece, False))
    return found


def _take(gathered: Gathered, found: Iterable[tuple[str, pa.Table, bool]]) -> None:
    for event_type, table, quickly in found:
        (gathered.tables if quickly else gathered.awkward).setdefault(event_type, []).append(table)


def _ends(feed: Feed, gathered: Gathered) -> tuple[End, ...]:
    if not gathered.events:
        return ()
    compute: Any = pc
    positions = [table.column("position") for parts in (*gathered.tables.values(), *gathered.awkward.values()) for table in parts]
    spans = [compute.min_max(each).as_py() for each in positions]
    first, last = min(span["min"] for span in spans), max(span["max"] for span in spans)
    return tuple(End(event.position, event.id) for event in feed.read_at([first, last]))


def _written(session: duckdb.DuckDBPyConnection, place: Path, gathered: Gathered) -> File:
    event = CLASSES[place.parent.name]
    place.parent.mkdir(exist_ok=True)
    draft = place.with_suffix(".tmp")
    tables = [pa.concat_tables(some) for some in (gathered.tables.get(event.type), gathered.awkward.get(event.type)) if some]
    with session.cursor() as cursor:
        sources = [_source(cursor, event, number, table) for number, table in enumerate(tables)]
        select = " UNION ALL ".join(columns.selected(event, source) for source in sources)
        order = " ORDER BY position" if len(sources) > 1 else ""  # what is of one source is in order already
        target = str(draft).replace("'", "''")
        cursor.execute(f"COPY (SELECT * FROM ({select}){order}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    size, digest = sync_file(draft)
    draft.replace(place)
    compute: Any = pc
    spans = [compute.min_max(table.column("position")).as_py() for table in tables]
    first, last = min(span["min"] for span in spans), max(span["max"] for span in spans)
    rows = sum(table.num_rows for table in tables)
    return File(f"{event.type}/{place.name}", rows, first, last, size, digest, fingerprint(event))


def _source(cursor: duckdb.DuckDBPyConnection, event: type[Event], number: int, table: pa.Table) -> str:
    name = quoted(f"{event.type} {number}")
    cursor.register(f"{event.type} {number}", table)
    if "state" not in table.column_names:
        return name
    everything = {Envelope(part) for part in ENVELOPE} | {Field(part) for part in shape(event)}
    return f"({typed(event, everything, name)})"


def sync_file(path: Path) -> tuple[int, str]:
    """Make a file durable; its size and SHA-256."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path.stat().st_size, digest_of(path)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
