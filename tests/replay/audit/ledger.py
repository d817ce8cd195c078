"""A real log with its tree, its key and checkpoints kept outside, in copies that a test may tamper with."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bus.stored import open_stored
from replay.audit.auditor import Auditor, signing_key
from replay.audit.findings import Finding, Kind, Verification
from replay.audit.tree import Tree
from replay.audit.verification import Outside, verify


@dataclass
class Ledger:
    """A data folder as an audit sees it."""

    folder: Path
    checkpoints: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def log(self) -> Path:
        return self.folder / "log.db"

    @property
    def tree(self) -> Path:
        return self.folder / "audit.db"

    def copy(self, folder: Path) -> "Ledger":
        shutil.copytree(self.folder, folder)
        return Ledger(folder, dict(self.checkpoints))

    def sql(self, *statements: str, file: str = "log.db", **bound: Any) -> None:
        """Edit a file behind our back."""
        with closing(sqlite3.connect(self.folder / file)) as connection, connection:
            for statement in statements:
                connection.execute(statement, bound)

    def one(self, question: str, file: str = "log.db") -> Any:
        with closing(sqlite3.connect(self.folder / file)) as connection:
            return connection.execute(question).fetchone()[0]

    def checkpoint(self, name: str) -> str:
        """Hash what is new, and keep a checkpoint outside."""
        with closing(Tree(self.tree)) as tree, closing(open_stored(self.log)) as stored:
            auditor = Auditor(tree, stored, signing_key(self.folder / "audit.key"))
            self.checkpoints[name] = auditor.checkpoint()
            return self.checkpoints[name]

    def verify(self, *, outside: bool = True, receipts: Sequence[dict[str, Any]] = ()) -> Verification:
        key = signing_key(self.folder / "audit.key").public
        given = Outside(keys=[key], checkpoints=self.checkpoints if outside else {}, receipts=receipts)
        return verify(str(self.log), self.tree, given)

    def found(self, *, outside: bool = True, receipts: Sequence[dict[str, Any]] = ()) -> list[tuple[Kind, int, int]]:
        """Kind and place of everything found."""
        return [placed(finding) for finding in self.verify(outside=outside, receipts=receipts).findings]


def placed(finding: Finding) -> tuple[Kind, int, int]:
    return finding.kind, finding.first, finding.last
