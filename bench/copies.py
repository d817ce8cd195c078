"""Long histories in little time: the events of a made-up company again and again, each time of other records."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from api.demo.fill import fill
from api.folder import Folder
from api.settings import Settings
from api.wiring import open_books

FILLED: Final = 100_000
"""Events that are decided; the others are their copies."""
_ID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")


def history(settings: Settings, events: int) -> int:
    """A log of about so many events; how many they are."""
    with open_books(settings) as books:
        fill(books.log, events=min(events, FILLED))
    return repeat(Folder(settings.data).log, max(1, events // FILLED))


def repeat(log: Path, copies: int) -> int:
    """The events of a log again as those of other records in the same pipelines, with receipts, `copies` times in all; how many they are."""
    with closing(sqlite3.connect(log)) as connection, connection:
        pipelines = {row[0] for row in connection.execute("SELECT DISTINCT originator_id FROM stored_events WHERE topic LIKE 'pipeline.%'")}
        connection.execute(
            "CREATE TEMP TABLE about_pipelines AS SELECT position - events AS after, position AS upto FROM receipts WHERE EXISTS ("
            "SELECT 1 FROM stored_events AS event WHERE event.position > receipts.position - receipts.events "
            "AND event.position <= receipts.position AND topic LIKE 'pipeline.%')"
        )
        connection.execute(
            "CREATE TEMP TABLE repeated AS SELECT position, row_number() OVER (ORDER BY position) AS place FROM stored_events "
            "WHERE NOT EXISTS (SELECT 1 FROM about_pipelines WHERE position > after AND position <= upto)"
        )
        connection.execute("CREATE INDEX temp.place_of ON repeated (position)")
        (count,) = connection.execute("SELECT count(*) FROM repeated").fetchone()
        (head,) = connection.execute("SELECT max(position) FROM stored_events").fetchone()
        for copy in range(1, copies):

            def other(found: re.Match[str], mark: str = f"{copy:04x}") -> str:
                return found[0] if found[0] in pipelines else mark + found[0][4:]

            connection.create_function("copied", 1, lambda text, other=other: _ID.sub(other, text), deterministic=True)
            connection.execute(
                "INSERT INTO stored_events SELECT ?1 + place, copied(originator_id), originator_version, topic, copied(state) "
                "FROM stored_events JOIN repeated USING (position) ORDER BY place",
                (head + (copy - 1) * count,),
            )
            connection.execute(
                "INSERT INTO receipts SELECT command_id || '#' || ?1, fingerprint, stream_id, version, ?2 + place, events "
                "FROM receipts JOIN repeated USING (position) WHERE events > 0 AND command_id NOT LIKE '%#%'",
                (copy, head + (copy - 1) * count),
            )
        return head + (copies - 1) * count
