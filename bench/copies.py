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
_ID: Final = re.compile(r"\b[0-9a-f]{4}(?=[0-9a-f]{4}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b)")


def history(settings: Settings, events: int) -> int:
    """A log of about so many events; how many they are."""
    with open_books(settings) as books:
        fill(books.log, events=min(events, FILLED))
    return repeat(Folder(settings.data).log, max(1, events // FILLED))


def repeat(log: Path, copies: int) -> int:
    """The events of a log again under other ids, with receipts, until there are `copies` times as many; how many they are."""
    with closing(sqlite3.connect(log)) as connection, connection:
        (head,) = connection.execute("SELECT MAX(position) FROM stored_events").fetchone()
        for copy in range(1, copies):
            connection.create_function("copied", 1, lambda text, copy=copy: _ID.sub(f"{copy:04x}", text), deterministic=True)
            connection.execute(
                "INSERT INTO stored_events SELECT position + ?1, copied(originator_id), originator_version, topic, copied(state) "
                "FROM stored_events WHERE position <= ?2",
                (copy * head, head),
            )
            connection.execute(
                "INSERT INTO receipts SELECT command_id || '#' || ?1, fingerprint, stream_id, version, position + ?2, events "
                "FROM receipts WHERE position <= ?3 AND command_id NOT LIKE '%#%'",
                (copy, copy * head, head),
            )
    return copies * head
