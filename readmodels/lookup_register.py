"""The register of the lookups: which versions of which tables there are, and how far each has come, as a whole and by partition."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    insert,
    select,
    text,
    update,
)

from readmodels.layout import Move, Moved, State, Version

MOVE_ALL = text(
    "UPDATE partitions AS here SET position = move.after "
    "FROM json_to_recordset(CAST(:moves AS json)) AS move (fold text, number bigint, state text, base bigint, partition int, before bigint, after bigint) "
    "JOIN folds ON folds.fold = move.fold AND folds.number = move.number "
    "AND folds.state = move.state AND folds.position = move.base AND folds.error IS NULL "
    "WHERE here.fold = move.fold AND here.number = move.number AND here.partition = move.partition AND here.position = move.before"
)
"""All moves by one statement, for PostgreSQL."""


class Register:
    """The tables `folds` and `partitions`. Everything happens within the transaction of the connection that is given."""

    def __init__(self) -> None:
        self.folds = Table(
            "folds",
            MetaData(),
            Column("fold", Text(), primary_key=True),
            Column("number", BigInteger(), primary_key=True, autoincrement=False),
            Column("state", Text(), nullable=False),
            Column("fingerprint", Text(), nullable=False),
            Column("position", BigInteger(), nullable=False),
            Column("error_position", BigInteger()),
            Column("error", Text()),
        )
        self.partitions = Table(
            "partitions",
            MetaData(),
            Column("fold", Text(), primary_key=True),
            Column("number", BigInteger(), primary_key=True, autoincrement=False),
            Column("partition", Integer(), primary_key=True, autoincrement=False),
            Column("position", BigInteger(), nullable=False),
            postgresql_with={"fillfactor": "50"},  # rows that change all the time find room on their page
        )
        self._advance = self._advancing()
        self._move = self._moving()

    def _advancing(self) -> Any:
        """A version moves as a whole only where no partition of it has gone on beyond that by itself."""
        here, parts = self.folds.c, self.partitions.c
        same = (here.fold == bindparam("here")) & (here.number == bindparam("nr")) & (here.position == bindparam("before"))
        apart = exists().where(parts.fold == here.fold, parts.number == here.number, parts.position > here.position)
        return update(self.folds).where(same, here.error.is_(None), ~apart).values(position=bindparam("after"))

    def _moving(self) -> Any:
        here, folds = self.partitions.c, self.folds.c
        one = (here.fold == bindparam("here")) & (here.number == bindparam("nr")) & (here.partition == bindparam("part"))
        healthy = (
            exists()
            .where(folds.fold == here.fold, folds.number == here.number, folds.state == bindparam("is"))
            .where(folds.position == bindparam("base"), folds.error.is_(None))
        )
        return update(self.partitions).where(one, here.position == bindparam("before"), healthy).values(position=bindparam("after"))

    def create(self, connection: Connection) -> None:
        """Make the tables where there are none."""
        self.folds.create(connection, checkfirst=True)
        self.partitions.create(connection, checkfirst=True)

    def versions(self, connection: Connection) -> list[Version]:
        """Every version of every table."""
        parts: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row in connection.execute(select(self.partitions).order_by(self.partitions.c.partition)):
            parts[row.fold, row.number].append(row.position)
        rows = connection.execute(select(self.folds).order_by(self.folds.c.fold, self.folds.c.number))
        return [
            Version(
                fold=row.fold,
                number=row.number,
                state=State(row.state),
                fingerprint=row.fingerprint,
                position=max(row.position, min(parts.get((row.fold, row.number), (0,)))),
                error_position=row.error_position,
                error=row.error,
                base=row.position,
                partitions=tuple(parts.get((row.fold, row.number), ())),
            )
            for row in rows
        ]

    def add(self, connection: Connection, version: Version) -> None:
        """Register a new version."""
        values = {name: getattr(version, name) for name in ("fold", "number", "state", "fingerprint", "position")}
        connection.execute(insert(self.folds).values(**values))

    def remove(self, connection: Connection, fold: str, number: int) -> None:
        """Forget a version."""
        for table in (self.partitions, self.folds):
            connection.execute(delete(table).where((table.c.fold == fold) & (table.c.number == number)))

    def serve(self, connection: Connection, fold: str, number: int) -> None:
        """Note that this version serves, and that the one that did is kept."""
        here = self.folds.c
        connection.execute(update(self.folds).where(here.fold == fold, here.state == State.SERVING).values(state=State.KEPT))
        connection.execute(self._one(fold, number).values(state=State.SERVING))

    def note(self, connection: Connection, fold: str, number: int, position: int | None, error: str | None) -> None:
        """Note that a version's fold failed on the event at `position`, or that it is to be tried again."""
        connection.execute(self._one(fold, number).values(error_position=position, error=error))

    def _one(self, fold: str, number: int) -> Any:
        return update(self.folds).where(self.folds.c.fold == fold, self.folds.c.number == number)

    def divide(self, connection: Connection, version: Version, partitions: int) -> None:
        """Let a version go on from where it is as a whole in that many partitions, each by itself."""
        have = len(version.partitions)
        rows = [{"fold": version.fold, "number": version.number, "partition": part, "position": 0} for part in range(have, partitions)]
        if rows:
            connection.execute(insert(self.partitions), rows)

    def advance(self, connection: Connection, versions: Sequence[Version], position: int) -> None:
        """Move versions on as a whole from where we read that they are. Raises Moved when one is not there any more."""
        moves = [{"here": v.fold, "nr": v.number, "before": v.position, "after": position} for v in versions]
        if connection.execute(self._advance, moves).rowcount != len(versions):
            raise Moved(", ".join(version.fold for version in versions))

    def move(self, connection: Connection, moves: Sequence[Move]) -> None:
        """Move partitions on from where we read that they are. Raises Moved when one is not, or its fold was stopped or does not serve any more."""
        if not moves:
            return
        if connection.dialect.name == "postgresql":
            found = connection.execute(MOVE_ALL, {"moves": _told(moves)})
        else:
            found = connection.execute(self._move, [_bound(move) for move in moves])
        if found.rowcount != len(moves):
            raise Moved(", ".join(sorted({move.version.fold for move in moves})))


def _bound(move: Move) -> dict[str, Any]:
    version = move.version
    places = {"here": version.fold, "nr": version.number, "is": version.state, "base": version.base, "part": move.partition}
    return {**places, "before": version.partitions[move.partition], "after": move.after}


def _told(moves: Sequence[Move]) -> str:
    rows = [
        {
            "fold": move.version.fold,
            "number": move.version.number,
            "state": move.version.state,
            "base": move.version.base,
            "partition": move.partition,
            "before": move.version.partitions[move.partition],
            "after": move.after,
        }
        for move in moves
    ]
    return orjson.dumps(rows).decode()
