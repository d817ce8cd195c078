"""The timeline: one row for every event that has a customer."""

from typing import Final

from domain.catalogue import EVENTS
from domain.contacts.events import ContactMoved
from projections.fold import Fold, Home
from projections.rules import first
from projections.shapes import shape
from projections.values import (
    ACTOR,
    COMMAND_ID,
    EVENT_ID,
    IRREGULAR,
    OCCURRED_AT,
    POSITION,
    RECORDED_AT,
    SOURCE,
    STREAM_ID,
    TYPE,
)

OF_A_CUSTOMER = tuple(event for event in EVENTS if "customer_id" in shape(event))

TIMELINE: Final = Fold(
    "timeline",
    homes=[Home.FACTS],
    key={"position": POSITION},
    columns={
        "event_id": first(EVENT_ID, *OF_A_CUSTOMER),
        "customer_id": first("customer_id", *OF_A_CUSTOMER),
        "previous_customer_id": first("previous_customer_id", ContactMoved),
        "type": first(TYPE, *OF_A_CUSTOMER),
        "stream_id": first(STREAM_ID, *OF_A_CUSTOMER),
        "occurred_at": first(OCCURRED_AT, *OF_A_CUSTOMER),
        "recorded_at": first(RECORDED_AT, *OF_A_CUSTOMER),
        "actor": first(ACTOR, *OF_A_CUSTOMER),
        "source": first(SOURCE, *OF_A_CUSTOMER),
        "command_id": first(COMMAND_ID, *OF_A_CUSTOMER),
        "irregular": first(IRREGULAR, *OF_A_CUSTOMER),
    },
)
"""Both clocks, who, and by which door; what the event says is in the log, under its position. A contact's move from one
customer to another is in both timelines: ask for `customer_id` or `previous_customer_id`."""

FOLDS: Final = (TIMELINE,)
