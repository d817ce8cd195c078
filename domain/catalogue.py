"""Every event class of every record, in one list: what can be in the log."""

from collections.abc import Mapping

from domain.event import Event
from domain.opportunities import events as opportunities
from domain.pipelines import events as pipelines

EVENTS: tuple[type[Event], ...] = (
    *pipelines.EVENTS,
    *opportunities.EVENTS,
)

BY_TYPE: Mapping[str, type[Event]] = {event.type: event for event in EVENTS}
