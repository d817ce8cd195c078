"""An event as the text that the log holds of it."""

from typing import NamedTuple


class StoredText(NamedTuple):
    """An event's place, stream and type, and the rest as canonical JSON in today's shape; what nobody looks into is not decoded."""

    position: int
    stream_id: str
    version: int
    type: str
    state: str
