"""Lookups that workers share, each of whose transactions may be held up before it begins, or ended before it is committed."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from projections.homes import LookupTables
from readmodels.lookup_writing import LookupWriter
from readmodels.lookups import LookupStore


class SharedLookups(LookupTables):
    """Asks before a transaction begins, and before it is committed."""

    def __init__(self, store: LookupStore) -> None:
        super().__init__(store, shared=True)
        self.asked: Callable[[str], None] = lambda _where: None
        self.committing: Callable[[], None] = lambda: None
        self.sharing = self._sharing

    @contextmanager
    def _sharing(self) -> Generator[LookupWriter]:
        self.asked("is about to write")
        with self.store.sharing() as writer:
            yield self.prepared(writer)
            self.committing()

    def prepared(self, writer: LookupWriter) -> LookupWriter:
        """What writes; a planted bug takes its place."""
        return writer
