"""Keeping the tree up with the log: hashing what is new, by command or in a thread of its own."""

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Final, Protocol

from bus.stored import Entry, StoredEvents
from replay.audit.errors import LogAltered
from replay.audit.merkle import leaf_hash, leaf_hashes
from replay.audit.tree import Tree

log = logging.getLogger(__name__)

STEP: Final = 16_384
"""Events that are hashed and stored at a time."""
GATHER: Final = 0.25
"""Seconds that events gather before they are hashed: many hashes at once cost one write to the disk."""
IDLE: Final = 1.0
RETRY: Final = 5.0

Progress = Callable[[int, int], None]


class Growing(Protocol):
    """What tells that the log has grown; the log itself."""

    def wait(self, after: int, timeout: float) -> bool: ...


def catch_up(tree: Tree, stored: StoredEvents, progress: Progress | None = None) -> int:
    """Hash what the log holds beyond the tree; the tree's size. `progress` is told how many events of how many are hashed.

    Raises LogAltered when the log is shorter than the tree, its last hashed event is another, or a position is empty.
    """
    size, head = tree.size, stored.head()
    _check_end(tree, stored, size, head)
    while size < head:
        entries = stored.entries(size, min(size + STEP, head))
        _check_whole(entries, size, min(size + STEP, head))
        tree.extend(size, leaf_hashes(entry for _, entry in entries))
        size = tree.size
        if progress is not None:
            progress(size, head)
    return size


def _check_end(tree: Tree, stored: StoredEvents, size: int, head: int) -> None:
    if head < size:
        raise LogAltered("audit.log_altered", f"the log ends at position {head}, but {size} events were hashed; run: daybook audit verify")
    last = stored.entries(size - 1, size) if size else []
    if [leaf_hash(entry) for _, entry in last] != [tree.leaf(position) for position in (size,) if position]:
        raise LogAltered("audit.log_altered", f"the event at position {size} is not the one that was hashed; run: daybook audit verify")


def _check_whole(entries: list[Entry], after: int, upto: int) -> None:
    if len(entries) != upto - after:
        there = {position for position, _ in entries}
        missing = next(position for position in range(after + 1, upto + 1) if position not in there)
        raise LogAltered(
            "audit.log_altered", f"there is no event at position {missing}, though there are later ones; run: daybook audit verify"
        )


class Keeper:
    """A thread that hashes events soon after they are recorded."""

    def __init__(self, tree: Tree, stored: StoredEvents, growing: Growing) -> None:
        self._tree = tree
        self._stored = stored
        self._growing = growing
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="audit", daemon=True)
        self.trouble: str | None = None
        """Why nothing is hashed just now; None when all is well."""

    def start(self) -> None:
        """Begin to follow the log."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being hashed and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                size = catch_up(self._tree, self._stored)
                self.trouble = None
            except Exception as error:
                if self.trouble is None:
                    log.exception("events cannot be hashed for the audit; trying again")
                self.trouble = f"{type(error).__name__}: {error}"
                self._stopping.wait(RETRY)
                continue
            if self._growing.wait(size, IDLE):
                self._stopping.wait(GATHER)
