"""The stamp in a SQLite file's header that says whose file it is and in which version."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bus.errors import ForeignLog


@dataclass(frozen=True, slots=True)
class Stamp:
    """`application_id` as four letters, `version` of the tables, `what` such a file is called in messages."""

    letters: bytes
    version: int
    what: str

    def check_file(self, path: str) -> None:
        """Raises ForeignLog unless there is no file at `path`, or an empty one or ours; leaves it as it is."""
        if Path(path).exists():
            with closing(sqlite3.connect(path)) as connection:
                self.check(connection)

    def check(self, connection: sqlite3.Connection) -> None:
        """Raises ForeignLog unless the file is empty or ours, in this version or an older one."""
        try:
            letters, version, tables = _header(connection)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise ForeignLog("log.foreign", f"this file is no {self.what}, nor any SQLite database") from error
            raise
        if letters != self.letters and (tables or any(letters)):
            raise ForeignLog("log.foreign", f"this file is no {self.what}; give the path of one, or of a file that does not exist yet")
        if version > self.version:
            raise ForeignLog("log.newer", f"this {self.what} was written by a newer version of Daybook; run that one")

    def put(self, connection: sqlite3.Connection) -> None:
        """Mark the file as ours, one that has a version already as it is; part of the open transaction."""
        if connection.execute("PRAGMA user_version").fetchone()[0]:
            return
        connection.execute(f"PRAGMA application_id = {int.from_bytes(self.letters, 'big')}")
        connection.execute(f"PRAGMA user_version = {self.version}")


def _header(connection: sqlite3.Connection) -> tuple[bytes, int, int]:
    """The four letters, the version and the number of tables, all of one moment: another process may be beginning the file."""
    connection.execute("BEGIN")
    try:
        questions = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        letters, version, tables = (int(connection.execute(question).fetchone()[0]) for question in questions)
    finally:
        connection.execute("ROLLBACK")
    return letters.to_bytes(4, "big", signed=True), version, tables
