"""An event as the text that the log holds of it."""

from typing import NamedTuple

import orjson


class Cause(NamedTuple):
    """The trace and the span that an event came from, where it names them."""

    correlation_id: str | None
    causation_id: str | None


class StoredText(NamedTuple):
    """An event's place, stream and type, and the rest as canonical JSON in today's shape; what nobody looks into is not decoded."""

    position: int
    stream_id: str
    version: int
    type: str
    state: str

    def cause(self) -> Cause:
        """What the text says of where it came from."""
        said = orjson.loads(self.state)
        return Cause(said["correlation_id"], said["causation_id"])
