"""A program that lives through a full disk with a fact store: `facts_on_a_full_disk.py FOLDER`, on a small disk of its own.

It says, as JSON, which errors the store gave while there was no room, and what it holds when there is room again.
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from projections.catalogue import layouts
from projections.fold import Home
from projections.homes import FactTables
from readmodels.facts import FactStore
from readmodels.layout import Moved, State, Version
from tests.faults.disk import fill

ROWS: Final = "SELECT md5(range::VARCHAR) || md5((range * 7)::VARCHAR) || md5((range * 17)::VARCHAR) FROM range(2000)"
NEARLY_FULL: Final = 15_500_000
"""Bytes of DuckDB's write-ahead log shortly before it brings them into the file by itself."""


class Rows:
    """A table whose number of rows is written down in the same transactions."""

    def __init__(self, path: Path) -> None:
        self.store = FactStore(path, layouts(Home.FACTS))
        self.version = Version("rows", 1, State.SERVING, "", 0)
        with self.store.writing() as writer:
            writer.connection.execute("CREATE TABLE rows (text VARCHAR)")
            writer.connection.execute("INSERT INTO folds VALUES ('rows', 1, 'serving', '', 0, NULL, NULL)")

    def add(self) -> None:
        """2,000 more rows, and the position."""
        (version,) = self.store.versions()
        with self.store.writing() as writer:
            writer.connection.execute(f"INSERT INTO rows {ROWS}")
            writer.advance([version], version.position + 2_000)

    def tried(self) -> str:
        """What comes of adding."""
        try:
            self.add()
        except Moved:
            return "moved"
        except FactTables.outages:
            return "outage"
        except Exception as error:  # noqa: BLE001 - told to the test
            return f"{type(error).__name__}: {error}"
        return "done"

    def holds(self) -> tuple[int, int]:
        """The rows there are, and the position."""
        return self.store.query("SELECT (SELECT count(*) FROM rows), position FROM folds")[0]


def main(folder: Path) -> None:
    """Full without room for one transaction, then full when the write-ahead log is to be brought into the file."""
    rows = Rows(folder / "facts.duckdb")
    rows.add()
    fill(folder / "filler")
    told = {"no room": [rows.tried() for _ in range(3)]}
    (folder / "filler").unlink()
    told["room"] = [rows.tried() for _ in range(2)]
    while (folder / "facts.duckdb.wal").stat().st_size < NEARLY_FULL:
        rows.add()
    reader = rows.store.scratch()
    fill(folder / "filler", leaving=3_000_000)
    told["little room"] = [rows.tried() for _ in range(12)]
    (folder / "filler").unlink()
    reader.close()
    told["room again"] = [rows.tried() for _ in range(3)]
    count, position = rows.holds()
    rows.store.close()
    again = FactStore(folder / "facts.duckdb", layouts(Home.FACTS))
    same = again.query("SELECT (SELECT count(*) FROM rows), position FROM folds")[0] == (count, position)
    sys.stdout.write(json.dumps({**told, "equal": count == position, "kept": same}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
