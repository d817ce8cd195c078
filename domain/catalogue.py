"""Every event class of every record, in one list: what can be in the log."""

from collections.abc import Mapping

from domain.contacts import events as contacts
from domain.customers import events as customers
from domain.event import Event
from domain.interactions import events as interactions
from domain.opportunities import events as opportunities
from domain.pipelines import events as pipelines
from domain.requests import events as requests
from domain.surveys import events as surveys

EVENTS: tuple[type[Event], ...] = (
    *customers.EVENTS,
    *contacts.EVENTS,
    *interactions.EVENTS,
    *pipelines.EVENTS,
    *opportunities.EVENTS,
    *requests.EVENTS,
    *surveys.EVENTS,
)

BY_TYPE: Mapping[str, type[Event]] = {event.type: event for event in EVENTS}
