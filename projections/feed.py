"""The port through which folds reach the log; `bus` fulfils it."""

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from domain.envelope import StoredEvent


class Feed(Protocol):
    """All events in the order of their positions, with no gap."""

    def head(self) -> int:
        """The last position, 0 for an empty log."""
        ...

    def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Up to `limit` events after position `after`."""
        ...

    def read_at(self, positions: Sequence[int]) -> Sequence[StoredEvent]:
        """The events at these positions, in the order in which they are named."""
        ...

    def wait(self, after: int, timeout: float) -> bool:
        """Wait until there are events after `after`, at most `timeout` seconds; whether there are."""
        ...

    def arrow(self, after: int, upto: int) -> pa.RecordBatchReader:
        """Events with `after` < position ≤ `upto`: position, stream_id, version, type, and the envelope's JSON as `state`."""
        ...
