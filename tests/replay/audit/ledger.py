"""A real log with its tree, its key and checkpoints kept outside, in copies that a test may tamper with; in either database."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from api.settings import load_settings
from api.wiring import Books, open_books
from bus.stored import open_stored
from replay.audit.auditor import Auditor, signing_key
from replay.audit.findings import Finding, Kind, Verification
from replay.audit.tree import Tree
from replay.audit.verification import Outside, verify

IN_BYTES = """
CREATE FUNCTION replace(bytea, text, text) RETURNS bytea
LANGUAGE sql AS $$ SELECT convert_to(pg_catalog.replace(convert_from($1, 'UTF8'), $2, $3), 'UTF8') $$
"""
"""So that what is done to a state behind our back is one statement for both databases."""


@dataclass
class Ledger:
    """A data folder as an audit sees it, with its log in a file."""

    folder: Path
    checkpoints: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def log(self) -> str:
        """Where the log lies."""
        return str(self.folder / "log.db")

    @property
    def tree(self) -> Path:
        return self.folder / "audit.db"

    def copy(self, folder: Path) -> "Ledger":
        shutil.copytree(self.folder, folder)
        return Ledger(folder, dict(self.checkpoints))

    @contextmanager
    def books(self) -> Iterator[Books]:
        """The log, open for commands."""
        with open_books(load_settings({}, data=self.folder)) as books:
            yield books

    def sql(self, *statements: str, **bound: Any) -> None:
        """Edit the log behind our back."""
        with closing(sqlite3.connect(self.log)) as connection, connection:
            for statement in statements:
                connection.execute(statement, bound)

    def one(self, question: str) -> Any:
        with closing(sqlite3.connect(self.log)) as connection:
            return connection.execute(question).fetchone()[0]

    def kept(self) -> Callable[[], None]:
        """Copies the log as it is now, and nothing else; what is returned puts that copy back."""
        copy = self.folder.with_name("kept.db")
        shutil.copy(self.log, copy)

        def put_back() -> None:
            shutil.copy(copy, self.log)

        return put_back

    def no_text(self) -> str:
        """A statement after which the state at position 700 is no text."""
        return "UPDATE stored_events SET state = CAST(CAST(state AS BLOB) || x'FF' AS TEXT) WHERE position = 700"

    def alter_hashes(self, statement: str, **bound: Any) -> None:
        """Edit the tree behind our back."""
        with closing(sqlite3.connect(self.tree)) as connection, connection:
            connection.execute(statement, bound)

    def checkpoint(self, name: str) -> str:
        """Hash what is new, and keep a checkpoint outside."""
        with closing(Tree(self.tree)) as tree, closing(open_stored(self.log)) as stored:
            auditor = Auditor(tree, stored, signing_key(self.folder / "audit.key"))
            self.checkpoints[name] = auditor.checkpoint()
            return self.checkpoints[name]

    def verify(self, *, outside: bool = True, receipts: Sequence[dict[str, Any]] = ()) -> Verification:
        key = signing_key(self.folder / "audit.key").public
        given = Outside(keys=[key], checkpoints=self.checkpoints if outside else {}, receipts=receipts)
        return verify(self.log, self.tree, given)

    def found(self, *, outside: bool = True, receipts: Sequence[dict[str, Any]] = ()) -> list[tuple[Kind, int, int]]:
        """Kind and place of everything found."""
        return [placed(finding) for finding in self.verify(outside=outside, receipts=receipts).findings]


@dataclass
class PostgresLedger(Ledger):
    """The same with its log in PostgreSQL; a copy has a database of its own."""

    url: str = ""

    @property
    def log(self) -> str:
        return self.url

    def begin(self) -> None:
        """Make the database fit for editing."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(IN_BYTES)

    def copy(self, folder: Path) -> "PostgresLedger":
        shutil.copytree(self.folder, folder)
        return PostgresLedger(folder, dict(self.checkpoints), self._new_database(self.url))

    @contextmanager
    def books(self) -> Iterator[Books]:
        with open_books(load_settings({}, data=self.folder, log_url=self.url)) as books:
            yield books

    def sql(self, *statements: str, **bound: Any) -> None:
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(_dialect(statement).encode(), bound)

    def one(self, question: str) -> Any:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(_dialect(question).encode()).fetchone()
            return row[0] if row else None

    def kept(self) -> Callable[[], None]:
        copy = self._new_database(self.url)

        def put_back() -> None:
            self._drop()
            self._server(f"CREATE DATABASE {_name(self.url)} TEMPLATE {_name(copy)}")

        return put_back

    def no_text(self) -> str:
        return r"UPDATE stored_events SET state = state || '\xFF'::bytea WHERE position = 700"

    def _new_database(self, template: str) -> str:
        name = f"test_{uuid4().hex}"
        self._server(f"CREATE DATABASE {name} TEMPLATE {_name(template)}")
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def _drop(self) -> None:
        self._server(f"DROP DATABASE {_name(self.url)} WITH (FORCE)")

    def _server(self, statement: str) -> None:
        with psycopg.connect(urlunsplit(urlsplit(self.url)._replace(path="/postgres")), autocommit=True) as connection:
            connection.execute(statement.encode())


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _dialect(statement: str) -> str:
    """A statement for SQLite as PostgreSQL has it."""
    tables = re.sub(r"\b(stored_events|receipts)\b", r"daybook.\1", statement.replace("%", "%%"))
    return re.sub(r"(?<![:\w\"']):([a-z]+)\b", r"%(\1)s", tables)


def placed(finding: Finding) -> tuple[Kind, int, int]:
    return finding.kind, finding.first, finding.last
