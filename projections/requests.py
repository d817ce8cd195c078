"""Service requests: the queue's rows, their links, each wait, and every step with its activity."""

from typing import Final

from domain.event import Event
from domain.requests import events
from domain.requests.events import (
    RequestAssigned,
    RequestClosed,
    RequestEscalated,
    RequestFirstResponded,
    RequestHandedOver,
    RequestLinked,
    RequestMerged,
    RequestOpened,
    RequestReopened,
    RequestReplied,
    RequestResolved,
    RequestResumed,
    RequestTaken,
    RequestTargetBreached,
    RequestTargetMet,
    RequestTargetSet,
    RequestWaiting,
)
from projections.fold import BOTH, Fold, Home
from projections.rules import Column, What, earliest, first, latest, latest_of, newest, tally, total
from projections.values import ACTOR, EVENT_ID, IRREGULAR, OCCURRED_AT, POSITION, RECORDED_AT, TYPE, Const, when

ALL: Final[tuple[type[Event], ...]] = events.EVENTS
STATUSES = (RequestOpened, RequestWaiting, RequestResumed, RequestResolved, RequestReopened, RequestClosed, RequestMerged)
ASSIGNMENTS = (RequestAssigned, RequestTaken, RequestHandedOver)
NOTHING: Final = Const(None)


def _status(**said: What) -> Column:
    """What a change of status says; what is not named is empty after it. All such columns win together."""
    names = {event.type.removeprefix("request."): event for event in STATUSES}
    return latest_of({event: said.get(name, NOTHING) for name, event in names.items()})


def _target(kind: str, what: What, *, met: What, breached: What) -> Column:
    """What setting and settling a target of that kind says; all such columns win together."""
    of_kind = when("kind", kind)
    return (
        latest(what, RequestTargetSet, when=of_kind)
        | latest(met, RequestTargetMet, when=of_kind)
        | latest(breached, RequestTargetBreached, when=of_kind)
    )


def _targets(kind: str) -> dict[str, Column]:
    return {
        f"{kind}_due_at": _target(kind, "due_at", met="due_at", breached="due_at"),
        f"{kind}_target_from": _target(kind, "started_at", met="started_at", breached="started_at"),
        f"{kind}_outcome": _target(kind, NOTHING, met=Const("met"), breached=Const("breached")),
        f"{kind}_margin_seconds": _target(kind, NOTHING, met="margin_seconds", breached="margin_seconds"),
        f"{kind}_targets_met": tally(plus=[RequestTargetMet], when=when("kind", kind)),
        f"{kind}_targets_breached": tally(plus=[RequestTargetBreached], when=when("kind", kind)),
    }


REQUESTS: Final = Fold(
    "requests",
    homes=BOTH,
    key="request_id",
    columns={
        "customer_id": latest("customer_id", *ALL),
        "contact_id": latest("contact_id", *ALL),
        "agent": latest("agent", *ALL),
        "team": latest("team", *ALL),
        "category": latest("category", *ALL),
        "priority": latest("priority", *ALL),
        "channel": latest("channel", *ALL),
        "status": latest("status", *ALL),
        "status_since": latest(OCCURRED_AT, *STATUSES),
        "waiting_on": _status(waiting="waiting_on"),
        "waiting_since": _status(waiting="waiting_since"),
        "merged_into": _status(merged="into_request_id"),
        "subject": first("subject", RequestOpened),
        "description": first("description", RequestOpened),
        "product": first("product", RequestOpened),
        "order_ref": first("order_ref", RequestOpened),
        "opened_at": first(OCCURRED_AT, RequestOpened),
        "opened_priority": first("priority", RequestOpened),
        "external_source": first("external_source", RequestOpened),
        "external_id": first("external_id", RequestOpened),
        "assigned_at": latest(OCCURRED_AT, *ASSIGNMENTS),
        "assignments": tally(plus=ASSIGNMENTS),
        "first_taken_at": first(OCCURRED_AT, RequestTaken),
        "first_responded_at": first(OCCURRED_AT, RequestFirstResponded),
        "first_response_gross_seconds": first("gross_seconds", RequestFirstResponded),
        "first_response_net_seconds": first("net_seconds", RequestFirstResponded),
        "first_response_by": first("by", RequestFirstResponded),
        "replies_to_customer": tally(plus=[RequestReplied], when=when("direction", "to_customer")),
        "replies_from_customer": tally(plus=[RequestReplied], when=when("direction", "from_customer")),
        "last_reply_at": latest(OCCURRED_AT, RequestReplied),
        "last_reply_direction": latest("direction", RequestReplied),
        "waits": tally(plus=[RequestWaiting], when=when("previous_status", "open", "resolved", "closed", "merged")),
        "waited_seconds": total("waited_seconds", RequestResumed),
        "level": latest_of({RequestOpened: Const(0), RequestEscalated: "level"}),
        "escalations": tally(plus=[RequestEscalated]),
        **_targets("first_response"),
        **_targets("resolution"),
        "resolved_at": latest_of({RequestResolved: OCCURRED_AT, RequestReopened: NOTHING}),
        "resolution_gross_seconds": latest_of({RequestResolved: "gross_seconds", RequestReopened: NOTHING}),
        "resolution_net_seconds": latest_of({RequestResolved: "net_seconds", RequestReopened: NOTHING}),
        "first_resolved_at": first(OCCURRED_AT, RequestResolved),
        "first_resolution_net_seconds": first("net_seconds", RequestResolved),
        "result": latest_of({RequestResolved: "result", RequestClosed: "result", RequestReopened: NOTHING}),
        "closed_at": latest_of({RequestClosed: OCCURRED_AT, RequestReopened: NOTHING}),
        "resolutions": tally(plus=[RequestResolved]),
        "reopenings": tally(plus=[RequestReopened]),
        "in_backlog": total("open_change", *STATUSES),
        "events": tally(plus=ALL),
        "first_event_at": earliest(OCCURRED_AT, *ALL),
        "last_event_at": newest(OCCURRED_AT, *ALL),
    },
    indexes=[["customer_id"], ["agent", "status"], ["status", "resolution_due_at"]],
)
"""A request as it is now. `…_outcome` is empty while a target is pending; `waited_seconds` counts the waits that are over,
the one going on began at `waiting_since`. `in_backlog` is 1 while it is open or waiting. Durations are in seconds from the
opening, net ones without waiting."""

REQUEST_LINKS: Final = Fold(
    "request_links",
    homes=[Home.LOOKUPS],
    key=("request_id", "linked_kind", "linked_id", "relation"),
    columns={"customer_id": latest("customer_id", RequestLinked), "linked_at": first(OCCURRED_AT, RequestLinked)},
    indexes=[["linked_id"]],
)

REQUEST_WAITS: Final = Fold(
    "request_waits",
    homes=[Home.FACTS],
    key=("request_id", "waiting_since"),
    columns={
        "customer_id": latest("customer_id", RequestWaiting, RequestResumed),
        "waiting_on": latest("waiting_on", RequestWaiting),
        "reason": latest("reason", RequestWaiting),
        "resumed_at": latest(OCCURRED_AT, RequestResumed),
        "waited_seconds": latest("waited_seconds", RequestResumed),
    },
)
"""Each wait of a request. One with no `waiting_on` is a resumption that was reported of a request that did not wait."""

STATUS_STEPS = tuple(event for event in STATUSES if event is not RequestOpened)

REQUEST_MARKS: Final = Fold(
    "request_marks",
    homes=[Home.FACTS],
    key={"position": POSITION},
    columns={
        "event_id": first(EVENT_ID, *ALL),
        "request_id": first("request_id", *ALL),
        "customer_id": first("customer_id", *ALL),
        "type": first(TYPE, *ALL),
        "activity": first("activity", *ALL),
        "occurred_at": first(OCCURRED_AT, *ALL),
        "recorded_at": first(RECORDED_AT, *ALL),
        "actor": first(ACTOR, *ALL),
        "done_by": first("by", *ALL),
        "irregular": first(IRREGULAR, *ALL),
        "agent": first("agent", *ALL),
        "team": first("team", *ALL),
        "category": first("category", *ALL),
        "priority": first("priority", *ALL),
        "channel": first("channel", *ALL),
        "status": first("status", *ALL),
        "previous_status": first("previous_status", *STATUS_STEPS),
        "open_change": first("open_change", *STATUSES),
    },
)
"""Every step of every request, as things stood after it; `activity` is the source system's own name for it. The sum of
`open_change` up to a moment is the backlog then."""

FOLDS: Final = (REQUESTS, REQUEST_LINKS, REQUEST_WAITS, REQUEST_MARKS)
