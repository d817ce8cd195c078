"""How much room a million events take in each place, and how much memory each kind of process."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil
import psycopg

from api.folder import Folder
from bench.figures import Figure
from replay.archive.manifest import load

MEBIBYTE = 1024 * 1024
MILLION = 1_000_000
SCHEMAS: Mapping[str, str] = {
    "daybook": "log, receipts and unique keys in PostgreSQL",
    "daybook_keys": "people's keys",
    "lookups": "lookups in PostgreSQL",
}


def room(log_url: str, topic: Iterable[Path], data: Path) -> list[Figure]:
    """Mebibytes for a million events, of what a log, a topic's folders and a server's data folder hold now."""
    folder = Folder(data)
    with psycopg.connect(log_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        (events,) = connection.execute("SELECT max(position) FROM daybook.stored_events").fetchone() or (0,)
        sizes = dict(
            connection.execute(
                "SELECT schemaname, sum(pg_total_relation_size(format('%%I.%%I', schemaname, tablename)::regclass))::bigint "
                "FROM pg_tables WHERE schemaname = ANY(%s) GROUP BY 1",
                (list(SCHEMAS),),
            ).fetchall()
        )
    found = {name: sizes[schema] for schema, name in SCHEMAS.items()}
    found["topic, one copy, without compression"] = sum(_bytes(each, "*.log") for each in topic)
    archived = max((segment.upto for segment in load(folder.archive)), default=0)
    if archived:
        found["archive, of each server"] = _bytes(folder.archive, "*.parquet") * events / archived
    found["facts, of each server"] = folder.facts.stat().st_size
    found["audit, of each server"] = folder.audit.stat().st_size
    return [Figure(f"room for a million events: {name}", size / MEBIBYTE / events * MILLION, "MiB") for name, size in found.items()]


def memory(parts: Mapping[str, Iterable[int]]) -> list[Figure]:
    """Resident memory of the largest of some processes."""
    return [
        Figure(f"memory of a {name}", max(psutil.Process(pid).memory_info().rss for pid in pids) / MEBIBYTE, "MiB")
        for name, pids in parts.items()
    ]


def connections(server: str, processes: Mapping[str, int]) -> list[Figure]:
    """Connections to PostgreSQL that are open now for each process of a command, of which so many run; they are called after it."""
    with psycopg.connect(server) as connection:
        counted = dict(connection.execute("SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1").fetchall())
    return [Figure(f"connections to PostgreSQL of `{name}`", counted.get(name, 0) / number, "") for name, number in processes.items()]


def _bytes(folder: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in folder.rglob(pattern))
