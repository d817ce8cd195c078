"""Commands on service requests: from a message to events, through the dispatcher."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from gzip import open as gunzip
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from commands.order import Order
from domain.requests.events import EVENTS, RequestEvent, RequestLinked, RequestOpened, RequestReopened, RequestResolved
from tests.commands.orders import CUSTOMER, PIPELINE, Desk, deal, ext, order

HELPDESK = Path(__file__).parents[3] / "shared/data/helpdesk/helpdesk.xes.gz"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def opened(number: object, **data: Any) -> Order:
    given = {"request_id": ext(number), "customer_id": ext("acme"), "subject": "It broke", "channel": "email", **data}
    return order("open_request", at=START, **given)


def step(name: str, number: object, hours: int, *, report: bool = False, **data: Any) -> Order:
    return order(name, at=START + timedelta(hours=hours), report=report, request_id=ext(number), **data)


def told(desk: Desk) -> list[RequestEvent]:
    return [stored.event for stored in desk.log.events if isinstance(stored.event, RequestEvent)]


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(CUSTOMER, PIPELINE)
    return desk


def test_every_event_of_a_request_is_reached_by_a_command(desk: Desk) -> None:
    desk.give(
        order("add_contact", contact_id=ext("kim"), customer_id=ext("acme"), name="Kim"),
        order("log_interaction", interaction_id=ext("call"), customer_id=ext("acme"), kind="call", direction="inbound", summary="rang"),
        deal("deal"),
        opened(1, contact_id=ext("kim"), description="since Monday", product="GTX", order_ref="4711"),
        step("triage_request", 1, 1, category="complaint", priority="high"),
        step("assign_request", 1, 1, agent="ana", team="desk"),
        step("take_request", 1, 1, agent="ben"),
        step("hand_over_request", 1, 1, agent="cleo", reason="night"),
        step("record_first_response", 1, 1),
        step("record_reply", 1, 1, direction="to_customer"),
        step("pause_request", 1, 2, waiting_on="customer", reason="photo"),
        step("resume_request", 1, 3),
        step("escalate_request", 1, 4, reason="loud"),
        step("link_request", 1, 4, opportunity_id=ext("deal")),
        step("link_request", 1, 4, interaction_id=ext("call"), relation="caused_by"),
        step("resolve_request", 1, 48, result="replaced"),
        step("close_request", 1, 49),
        step("reopen_request", 1, 50, reason="broke again"),
        opened(2),
        step("link_request", 2, 1, linked_request_id=ext(1), relation="duplicates"),
        step("merge_request", 2, 1, into_request_id=ext(1)),
        step("note_request_activity", 2, 2, report=True, activity="VERIFIED", by="dora"),
    )
    assert {event.type for event in told(desk)} == {event.type for event in EVENTS}
    assert [event.linked_kind for event in told(desk) if isinstance(event, RequestLinked)] == ["opportunity", "interaction", "request"]


def test_an_opened_request_keeps_its_external_id_and_holds_it_alone(desk: Desk) -> None:
    desk.give(opened(1))
    (first, *_) = told(desk)
    assert isinstance(first, RequestOpened)
    assert (first.external_source, first.external_id) == ("test", "1")
    assert desk.refuse(opened(1)) == "request.exists"


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (step("take_request", 9, 1, agent="ana"), "request.unknown"),
        (step("merge_request", 1, 1, into_request_id=ext(9)), "request.unknown"),
        (step("merge_request", 1, 1, into_request_id=ext(1)), "request.merged_into_itself"),
        (step("link_request", 1, 1), "request.one_link"),
        (step("link_request", 1, 1, opportunity_id=ext(9), interaction_id=ext(9)), "request.one_link"),
        (step("link_request", 1, 1, opportunity_id=ext(9)), "opportunity.unknown"),
        (step("close_request", 1, 1), "request.no_result"),
        (step("take_request", 1, 1, agent="ana", activity="Take in charge"), "request.activity_asked"),
        (step("note_request_activity", 1, 1), "request.no_activity"),
        (step("triage_request", 1, 1, priority="whenever"), "command.invalid"),
        (step("escalate_request", 1, 1, level=10), "command.invalid"),
        (step("resolve_request", 1, 1, result="x" * 201), "command.invalid"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_code(desk: Desk, refused: Order, code: str) -> None:
    desk.give(opened(1))
    assert desk.refuse(refused) == code


def test_an_archived_customer_opens_no_request(desk: Desk) -> None:
    desk.give(order("archive_customer", customer_id=ext("acme")))
    assert desk.refuse(opened(1)) == "customer.archived"


def test_a_reported_fact_that_breaks_a_rule_is_recorded_and_named_irregular(desk: Desk) -> None:
    desk.give(opened(1), step("close_request", 1, 1, report=True))
    assert desk.log.events[-1].irregular == ("request.no_result",)


STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "Assign seriousness": ("triage_request", {}),
    "Take in charge ticket": ("take_request", {}),
    "Wait": ("pause_request", {"waiting_on": "customer"}),
    "Require upgrade": ("escalate_request", {}),
    "Resolve ticket": ("resolve_request", {"result": "resolved"}),
    "Closed": ("close_request", {}),
}


def history_of(trace: ET.Element, customer: dict[str, str]) -> tuple[list[Order], list[str]]:
    """One case of the log as orders, with its activities."""
    case = ext(trace.find("string[@key='concept:name']").get("value"))  # type: ignore[union-attr]
    orders: list[Order] = []
    names: list[str] = []
    for event in trace.findall("event"):
        facts = {child.get("key"): child.get("value") for child in event}
        activity, by = str(facts["concept:name"]), str(facts["org:resource"])
        at = datetime.fromisoformat(str(facts["time:timestamp"]))
        if not orders:
            about = {"request_id": case, "customer_id": customer, "subject": "Ticket", "channel": "web"}
            orders.append(order("open_request", at=at, report=True, **about))
        name, data = STEPS.get(activity, ("note_request_activity", {}))
        agent = {"agent": by} if name == "take_request" else {}
        orders.append(order(name, at=at, report=True, request_id=case, by=by, activity=activity, **data, **agent))
        names.append(activity)
    return orders, names


def test_a_real_help_desk_log_is_told_without_losing_or_inventing_a_step(desk: Desk) -> None:
    events, cases, reopened = Counter[str](), Counter[str](), 0
    with gunzip(HELPDESK) as log:
        for _, element in ET.iterparse(log):  # noqa: S314 - a file we know
            if element.tag == "trace":
                orders, names = history_of(element, ext("acme"))
                desk.give(*orders)
                events.update(names)
                cases.update(set(names))
                reopened += came_back(names)
                element.clear()
    counted, in_cases = Counter[str](), set[tuple[str, str]]()
    for event in told(desk):
        if event.activity is not None:
            counted[event.activity] += 1
            in_cases.add((event.activity, str(event.request_id)))
    assert counted == events
    assert counted["Take in charge ticket"] == 5060
    assert Counter(activity for activity, _ in in_cases) == cases
    assert cases["Take in charge ticket"] == 4285
    assert len({event.request_id for event in told(desk) if isinstance(event, RequestReopened)}) == reopened
    assert all(event.net_seconds >= 0 for event in told(desk) if isinstance(event, RequestResolved))


def came_back(names: list[str]) -> bool:
    """Whether a case was worked on after it had been resolved or closed: what our reopenings are to say."""
    ended = ""
    for name in names:
        if ended and name in STEPS and name not in ("Resolve ticket", "Closed"):
            return True
        if ended == "Closed" and name == "Resolve ticket":
            return True
        if name in ("Resolve ticket", "Closed"):
            ended = name
    return False
