"""Which fields of events are personal."""

from collections.abc import Sequence
from functools import cache

from bus.catalogue import TODAY, personal_fields


@cache
def personal_of(event_type: str) -> Sequence[str]:
    """The personal fields of an event type. Raises UnknownEventType."""
    return personal_fields(TODAY.known(event_type))
