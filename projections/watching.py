"""The port through which whoever operates Daybook sees how batches are folded; `api` fulfils it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from domain.envelope import StoredEvent
from projections.fold import Home


class Watch(Protocol):
    """Sees each batch."""

    def folding(self, home: Home, events: Sequence[StoredEvent], count: int) -> AbstractContextManager[None]:
        """Entered before a batch of `count` positions goes into a home's tables, left when it is in; `events` are empty for a bulk load."""
        ...


class Unwatched:
    """Nobody looks."""

    def folding(self, home: Home, events: Sequence[StoredEvent], count: int) -> AbstractContextManager[None]:  # noqa: ARG002 - the port's interface
        """Do nothing before and after."""
        return nullcontext()


UNWATCHED: Final = Unwatched()
