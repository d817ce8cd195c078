"""The audit of one log: its tree, the key that signs, checkpoints, proofs and histories."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bus.secret_file import write_once
from bus.stored import StoredEvents
from domain.errors import NotFound
from replay.audit.history import Proofs, customer_history
from replay.audit.keeping import Growing, Keeper, Progress, catch_up
from replay.audit.notes import SigningKey
from replay.audit.tree import Tree
from replay.audit.view import Telling

WORTH_WAITING: Final = 20_000
"""Events that are hashed while a caller waits; more are left to the thread that follows the log, where there is one."""


def signing_key(path: Path) -> SigningKey:
    """The key in the file at `path`; made there, under a random name, when there is none. Raises KeyUnusable."""
    if not path.exists():
        write_once(path, SigningKey.new().line() + "\n")
    return SigningKey.parse(path.read_text())


class Auditor:
    """For any number of threads. What needs the tree raises LogAltered when the log is not what was hashed."""

    def __init__(self, tree: Tree, stored: StoredEvents, key: SigningKey, growing: Growing | None = None) -> None:
        self.tree = tree
        self.key = key
        self._stored = stored
        self._keeper = Keeper(tree, stored, growing) if growing is not None else None
        if self._keeper is not None:
            self._keeper.start()

    @property
    def trouble(self) -> str | None:
        """Why events are not hashed just now; None when all is well."""
        return self._keeper.trouble if self._keeper else None

    def catch_up(self, progress: Progress | None = None) -> int:
        """Hash what is new; the tree's size. Much is left to the thread that follows the log, where there is one."""
        if self._keeper and self._stored.head() - self.tree.size > WORTH_WAITING:
            return self.tree.size
        return catch_up(self.tree, self._stored, progress)

    def reach(self, size: int) -> int:
        """`size`, that of all events for 0, when so many are hashed. Raises NotFound `audit.size_unknown`."""
        there = self.tree.size if 0 < size <= self.tree.size else self.catch_up()
        if size > there:
            raise NotFound("audit.size_unknown", f"there are {there} events hashed, not {size}")
        return size or there

    def checkpoint(self) -> str:
        """What the log is now, signed; kept in the tree's file too."""
        size = self.catch_up()
        root = self.tree.root(size)
        note = self.key.sign(size, root)
        self.tree.keep(size, root, note)
        return note

    def entry(self, position: int) -> str:
        """The stored bytes of an event in the tree, as they are hashed."""
        return self._stored.entries(position - 1, position)[0][1].decode()

    def customer(self, customer_id: str, telling: Telling, older: Sequence[int] = ()) -> dict[str, Any]:
        """A customer's history with proofs against a checkpoint of now. Raises NotFound."""
        note = self.checkpoint()
        size = int(note.split("\n")[1])
        proofs = Proofs(
            key=str(self.key.public),
            checkpoint=note,
            size=size,
            inclusion=lambda position: self.tree.inclusion(position, size),
            consistency=lambda before: self.tree.consistency(before, size),
        )
        return customer_history(self._stored, proofs, customer_id, telling, older=older)

    def close(self) -> None:
        """Stop following the log."""
        if self._keeper is not None:
            self._keeper.stop()
