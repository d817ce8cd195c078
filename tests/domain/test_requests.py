"""How service requests may be worked on, wait, be promised, end and come back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain.requests import ending, talk, work
from domain.requests.events import (
    RequestActivityNoted,
    RequestAssigned,
    RequestClosed,
    RequestEscalated,
    RequestEvent,
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
    RequestTriaged,
    RequestWaiting,
    StatusEvent,
)
from domain.requests.policy import COMPLAINTS, FIRST_RESPONSE, PRIORITIES, RESOLUTION, STANDARD
from domain.requests.request import Request, Step, after, evolve
from domain.rules import Rules
from tests.domain.given import AT, History, at, given

ID, OTHER, CUSTOMER, CONTACT = UUID(int=20), UUID(int=21), UUID(int=22), UUID(int=23)
HOUR = timedelta(hours=1)
KEYS: dict[str, Any] = {
    "request_id": ID,
    "customer_id": CUSTOMER,
    "contact_id": CONTACT,
    "agent": None,
    "team": "desk",
    "category": "question",
    "priority": "normal",
    "channel": "email",
    "status": "open",
    "by": None,
    "activity": None,
}
TEXTS: dict[str, Any] = {"subject": "It broke", "description": None, "product": "GTX", "order_ref": "4711"}
OPENED = RequestOpened(**KEYS, **TEXTS, open_change=1, external_source=None, external_id=None)
OTHER_OPENED = replace(OPENED, request_id=OTHER)


def target(kind: str, hours: int, **changes: Any) -> RequestTargetSet:
    fields: dict[str, Any] = {
        **KEYS,
        "kind": kind,
        "due_at": AT + hours * HOUR,
        "previous_due_at": None,
        "started_at": AT,
        "pushed_seconds": 0,
        "policy": "standard",
        "cause": "opening",
    }
    return RequestTargetSet(**{**fields, **changes})


NEW = (OPENED, target(FIRST_RESPONSE, 8), target(RESOLUTION, 72))


def turned(status: str, previous: str, change: int, **fields: Any) -> dict[str, Any]:
    return {**KEYS, "status": status, "previous_status": previous, "open_change": change, **fields}


def lasted(hours: int, waited: int = 0) -> dict[str, Any]:
    seconds = {"waited_seconds": waited * 3600, "gross_seconds": hours * 3600, "net_seconds": (hours - waited) * 3600}
    return {"opened_at": AT, **seconds}


def after_hours(hours: float, **fields: Any) -> Step:
    return Step(AT + hours * HOUR, **fields)


SINCE = AT + HOUR
WAITING = at(SINCE, RequestWaiting(**turned("waiting", "open", 0), waiting_on="customer", reason="photo", waiting_since=SINCE))
MET = RequestTargetMet(**KEYS, kind=RESOLUTION, due_at=AT + 72 * HOUR, started_at=AT, margin_seconds=70 * 3600)
DONE = RequestResolved(**turned("resolved", "open", -1), **lasted(2), result="replaced", resolution_no=1)
RESOLVED = (at(AT + 2 * HOUR, MET), at(AT + 2 * HOUR, DONE))
CLOSED = (*RESOLVED, at(AT + 3 * HOUR, RequestClosed(**turned("closed", "resolved", 0), **lasted(3), result="replaced")))
MERGED = at(AT + 2 * HOUR, RequestMerged(**turned("merged", "open", -1), into_request_id=OTHER))


def request(*more: Any) -> History:
    return given(evolve, *NEW, *more)


def opening(**changes: Any) -> dict[str, Any]:
    values = {
        "step": Step(AT),
        "request_id": ID,
        "customer_id": CUSTOMER,
        "customer_archived": False,
        "contact_id": CONTACT,
        "contact_customer_id": CUSTOMER,
        "channel": "email",
        "category": "question",
        "priority": "normal",
        **TEXTS,
        "agent": None,
        "team": "desk",
        "external": None,
    }
    return {**values, **changes}


def test_opening_a_request_sets_both_targets_in_the_same_append() -> None:
    given(evolve).asked(work.open_request, **opening()).then(*NEW)


def test_a_request_opens_once() -> None:
    request().asked(work.open_request, **opening()).refused("request.exists")
    request().reported(work.open_request, **opening()).refused("request.exists")


def test_an_archived_customer_opens_no_request_but_may_have_opened_one() -> None:
    given(evolve).asked(work.open_request, **opening(customer_archived=True)).refused("customer.archived")
    given(evolve).reported(work.open_request, **opening(customer_archived=True)).irregular("customer.archived")


def test_the_contact_of_a_request_belongs_to_its_customer() -> None:
    given(evolve).asked(work.open_request, **opening(contact_customer_id=OTHER)).refused("contact.other_customer")
    given(evolve).reported(work.open_request, **opening(contact_customer_id=OTHER)).irregular("contact.other_customer")


def test_an_unknown_priority_is_refused_even_when_reported() -> None:
    given(evolve).reported(work.open_request, **opening(priority="whenever")).refused("request.priority")
    request().reported(work.triage, step=after_hours(1), category=None, priority="whenever").refused("request.priority")


def test_only_a_report_names_the_step_of_another_system() -> None:
    named = after_hours(1, activity="Wait")
    given(evolve).asked(work.open_request, **opening(step=named)).refused("request.activity_asked")
    request().asked(talk.wait, step=named, on="customer", reason=None).refused("request.activity_asked")
    request().reported(talk.wait, step=named, on="customer", reason=None).has(RequestWaiting, activity="Wait")


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("kind", [FIRST_RESPONSE, RESOLUTION])
def test_complaints_are_promised_no_later_than_anything_else(priority: str, kind: str) -> None:
    assert COMPLAINTS.time(kind, priority) <= STANDARD.time(kind, priority)


def test_a_complaint_stands_under_its_own_policy_however_it_is_spelt() -> None:
    outcome = given(evolve).asked(work.open_request, **opening(category="Complaint", priority="high"))
    outcome.has(RequestTargetSet, kind=FIRST_RESPONSE, due_at=AT + 2 * HOUR, policy="complaint")
    outcome.has(RequestTargetSet, kind=RESOLUTION, due_at=AT + 12 * HOUR, policy="complaint")


def test_triage_sets_the_targets_anew() -> None:
    urgent = {"category": "question", "priority": "urgent"}
    triaged = RequestTriaged(**{**KEYS, **urgent}, previous_category="question", previous_priority="normal")
    anew: dict[str, Any] = {**urgent, "cause": "triage"}
    request().asked(work.triage, step=after_hours(1), category=None, priority="urgent").then(
        triaged,
        target(FIRST_RESPONSE, 1, previous_due_at=AT + 8 * HOUR, **anew),
        target(RESOLUTION, 8, previous_due_at=AT + 72 * HOUR, **anew),
    )


def test_triage_to_a_category_with_the_same_promises_leaves_the_targets() -> None:
    request().asked(work.triage, step=after_hours(1), category="fault", priority=None).types("request.triaged")


def test_triage_leaves_a_target_that_is_met() -> None:
    responded = at(AT + HOUR, RequestTargetMet(**KEYS, kind=FIRST_RESPONSE, due_at=AT + 8 * HOUR, started_at=AT, margin_seconds=7 * 3600))
    outcome = request(responded).asked(work.triage, step=after_hours(2), category="complaint", priority=None)
    outcome.types("request.triaged", "request.target_set").has(RequestTargetSet, kind=RESOLUTION, due_at=AT + 48 * HOUR)


def test_the_same_judgement_again_is_silence_when_asked_and_an_event_when_reported() -> None:
    request().asked(work.triage, step=after_hours(1), category="question", priority="normal").nothing()
    request().reported(work.triage, step=after_hours(1, activity="Assign seriousness"), category=None, priority=None).then(
        RequestTriaged(**{**KEYS, "activity": "Assign seriousness"}, previous_category="question", previous_priority="normal")
    )


def test_assigning_says_who_had_it_before() -> None:
    given_to = RequestAssigned(**{**KEYS, "agent": "ana"}, from_agent=None, from_team="desk", assignment_no=1)
    request().asked(work.assign, step=after_hours(1), agent="ana", team="desk").then(given_to)
    request(given_to).asked(work.assign, step=after_hours(1), agent="ana", team="desk").nothing()
    request(given_to).asked(work.assign, step=after_hours(1), agent=None, team="second").then(
        RequestAssigned(**{**KEYS, "team": "second"}, from_agent="ana", from_team="desk", assignment_no=2)
    )


def test_a_request_is_assigned_to_somebody() -> None:
    request().reported(work.assign, step=after_hours(1), agent=None, team=None).refused("request.no_assignee")
    request().reported(work.hand_over, step=after_hours(1), agent=None, team=None, reason=None).refused("request.no_assignee")


TAKEN = RequestTaken(**{**KEYS, "agent": "ana"}, from_agent=None, from_team="desk", assignment_no=1)


def test_who_takes_a_request_stays_in_its_team() -> None:
    request().asked(work.take, step=after_hours(1), agent="ana", team=None).then(TAKEN)


def test_the_same_agent_taking_it_again_is_silence_when_asked_and_an_event_when_reported() -> None:
    request(TAKEN).asked(work.take, step=after_hours(1), agent="ana", team=None).nothing()
    request(TAKEN).reported(work.take, step=after_hours(1), agent="ana", team=None).then(
        RequestTaken(**{**KEYS, "agent": "ana"}, from_agent="ana", from_team="desk", assignment_no=2)
    )


def test_taking_a_waiting_request_ends_the_wait() -> None:
    outcome = request(WAITING).asked(work.take, step=after_hours(3), agent="ana", team=None)
    outcome.types("request.resumed", "request.target_set", "request.target_set", "request.taken")
    outcome.has(RequestResumed, waited_seconds=7200, agent=None)


def test_taking_it_late_logged_from_before_the_wait_does_not_end_the_wait() -> None:
    request(WAITING).asked(work.take, step=after_hours(0.5), agent="ana", team=None).types("request.taken")


def test_only_who_has_a_request_hands_it_over() -> None:
    request().asked(work.hand_over, step=after_hours(1), agent="ben", team=None, reason=None).refused("request.unassigned")
    request().reported(work.hand_over, step=after_hours(1), agent="ben", team=None, reason=None).irregular("request.unassigned")
    request(TAKEN).asked(work.hand_over, step=after_hours(1), agent="ana", team="desk", reason=None).nothing()
    request(TAKEN).asked(work.hand_over, step=after_hours(1), agent="ben", team="desk", reason="night").then(
        RequestHandedOver(**{**KEYS, "agent": "ben"}, from_agent="ana", from_team="desk", assignment_no=2, reason="night")
    )


RESPONDED = RequestFirstResponded(**KEYS, **lasted(1), response_no=1)
IN_TIME = RequestTargetMet(**KEYS, kind=FIRST_RESPONSE, due_at=AT + 8 * HOUR, started_at=AT, margin_seconds=7 * 3600)


def test_the_first_response_meets_its_target() -> None:
    request().asked(talk.respond, step=after_hours(1)).then(RESPONDED, IN_TIME)


def test_a_response_at_the_very_moment_is_in_time_and_later_is_not() -> None:
    request().asked(talk.respond, step=after_hours(8)).has(RequestTargetMet, margin_seconds=0)
    request().asked(talk.respond, step=Step(AT + 8 * HOUR + timedelta(seconds=1))).has(RequestTargetBreached, margin_seconds=-1)


def test_a_second_first_response_is_silence_when_asked_and_irregular_when_reported() -> None:
    answered = request(RESPONDED, IN_TIME)
    answered.asked(talk.respond, step=after_hours(2)).nothing()
    again = answered.reported(talk.respond, step=after_hours(2)).irregular("request.responded")
    again.types("request.first_responded").has(RequestFirstResponded, response_no=2)


def test_the_first_reply_to_the_customer_is_the_first_response() -> None:
    replied = RequestReplied(**KEYS, direction="to_customer", reply_no=1)
    request().asked(talk.reply, step=after_hours(1), direction="to_customer").then(RESPONDED, IN_TIME, replied)
    request(RESPONDED, IN_TIME, replied).asked(talk.reply, step=after_hours(2), direction="to_customer").then(
        RequestReplied(**KEYS, direction="to_customer", reply_no=2)
    )


def test_of_a_reply_only_the_reply_itself_bears_the_source_s_name() -> None:
    outcome = request().reported(talk.reply, step=after_hours(1, activity="Mail out", by="ana"), direction="to_customer")
    assert [getattr(event, "activity", None) for event in outcome.events] == [None, None, "Mail out"]
    assert {getattr(event, "by", None) for event in outcome.events} == {"ana"}


def test_the_customer_s_reply_ends_the_wait_for_the_customer_and_no_other() -> None:
    outcome = request(WAITING).asked(talk.reply, step=after_hours(3), direction="from_customer")
    outcome.types("request.replied", "request.resumed", "request.target_set", "request.target_set")
    third = RequestWaiting(**turned("waiting", "open", 0), waiting_on="third_party", reason=None, waiting_since=SINCE)
    request(at(SINCE, third)).asked(talk.reply, step=after_hours(3), direction="from_customer").types("request.replied")
    request(WAITING).asked(talk.reply, step=after_hours(0.5), direction="from_customer").types("request.replied")


def test_a_reply_goes_one_way_or_the_other() -> None:
    request().reported(talk.reply, step=after_hours(1), direction="sideways").refused("request.direction")


def test_waiting_stops_the_clock() -> None:
    assert isinstance(WAITING.event, RequestWaiting)
    request().asked(talk.wait, step=after_hours(1), on="customer", reason="photo").then(WAITING.event)
    request().asked(talk.wait, step=after_hours(1), on="godot", reason=None).refused("request.waiting_on")


def test_waiting_again_goes_on_from_the_beginning_of_the_wait() -> None:
    request(WAITING).asked(talk.wait, step=after_hours(2), on="customer", reason=None).nothing()
    request(WAITING).asked(talk.wait, step=after_hours(2), on="third_party", reason=None).has(RequestWaiting, waiting_since=SINCE)
    repeated = request(WAITING).reported(talk.wait, step=after_hours(2), on="customer", reason="photo")
    repeated.has(RequestWaiting, previous_status="waiting", open_change=0, waiting_since=SINCE)


def test_resuming_pushes_what_is_due_by_the_time_waited() -> None:
    pushed: dict[str, Any] = {"pushed_seconds": 7200, "cause": "waiting"}
    request(WAITING).asked(talk.resume, step=after_hours(3)).then(
        RequestResumed(**turned("open", "waiting", 0), waiting_on="customer", waiting_since=SINCE, waited_seconds=7200),
        target(FIRST_RESPONSE, 10, previous_due_at=AT + 8 * HOUR, **pushed),
        target(RESOLUTION, 74, previous_due_at=AT + 72 * HOUR, **pushed),
    )


def test_resuming_what_does_not_wait_is_silence_when_asked_and_irregular_when_reported() -> None:
    request().asked(talk.resume, step=after_hours(1)).nothing()
    request().reported(talk.resume, step=after_hours(1)).irregular("request.not_waiting").has(RequestResumed, waited_seconds=0)


def test_triage_after_a_wait_keeps_the_time_waited() -> None:
    waited = request(WAITING).asked(talk.resume, step=after_hours(3)).events
    outcome = request(WAITING, *waited).asked(work.triage, step=after_hours(4), category=None, priority="urgent")
    outcome.has(RequestTargetSet, kind=FIRST_RESPONSE, due_at=AT + 3 * HOUR, pushed_seconds=7200)


def test_a_first_response_while_waiting_is_allowed_the_wait_so_far() -> None:
    outcome = request(WAITING).asked(talk.respond, step=after_hours(9))
    outcome.has(RequestTargetMet, due_at=AT + 16 * HOUR).has(RequestFirstResponded, **lasted(9, waited=8))


def test_escalation_goes_up() -> None:
    first = RequestEscalated(**KEYS, level=1, previous_level=0, reason="loud")
    third = RequestEscalated(**KEYS, level=3, previous_level=1, reason=None)
    request().asked(work.escalate, step=after_hours(1), level=None, reason="loud").then(first)
    request(first).asked(work.escalate, step=after_hours(1), level=3, reason=None).then(third)
    request(third).asked(work.escalate, step=after_hours(1), level=3, reason=None).nothing()
    request(third).asked(work.escalate, step=after_hours(1), level=2, reason=None).refused("request.level_lower")
    request(third).reported(work.escalate, step=after_hours(1), level=2, reason=None).irregular("request.level_lower")
    request().reported(work.escalate, step=after_hours(1), level=10, reason=None).refused("request.level")


def test_resolving_meets_the_target_and_says_how_long_it_took() -> None:
    request().asked(ending.resolve, step=after_hours(2), result="replaced").then(MET, DONE)


def test_resolving_late_breaches_the_target() -> None:
    request().asked(ending.resolve, step=after_hours(73), result="replaced").has(
        RequestTargetBreached, kind=RESOLUTION, margin_seconds=-3600
    )


def test_resolving_ends_the_wait_and_the_wait_is_not_counted() -> None:
    outcome = request(WAITING).asked(ending.resolve, step=after_hours(74), result="replaced")
    outcome.types("request.resumed", "request.target_set", "request.target_set", "request.target_met", "request.resolved")
    outcome.has(RequestTargetMet, due_at=AT + 145 * HOUR).has(RequestResolved, **lasted(74, waited=73), previous_status="open")


def test_nothing_is_resolved_or_closed_without_a_result() -> None:
    request().asked(ending.resolve, step=after_hours(2), result=None).refused("request.no_result")
    request().reported(ending.resolve, step=after_hours(2), result=None).irregular("request.no_result")
    request().asked(ending.close, step=after_hours(2), result=None).refused("request.no_result")


def test_resolving_again_is_silence_a_refusal_or_when_reported_one_more_resolution() -> None:
    request(*RESOLVED).asked(ending.resolve, step=after_hours(4), result=None).nothing()
    request(*RESOLVED).asked(ending.resolve, step=after_hours(4), result="replaced").nothing()
    request(*RESOLVED).asked(ending.resolve, step=after_hours(4), result="refunded").refused("request.resolved")
    again = request(*RESOLVED).reported(ending.resolve, step=after_hours(4), result="refunded").irregular("request.resolved")
    again.types("request.resolved").has(RequestResolved, resolution_no=2, open_change=0, previous_status="resolved")


def test_a_resolved_request_closes_with_its_result() -> None:
    request(*RESOLVED).asked(ending.close, step=after_hours(3), result=None).then(
        RequestClosed(**turned("closed", "resolved", 0), **lasted(3), result="replaced")
    )


def test_closing_with_a_result_resolves_and_closes() -> None:
    closed = RequestClosed(**turned("closed", "resolved", 0), **lasted(2), result="replaced")
    request().asked(ending.close, step=after_hours(2), result="replaced").then(MET, DONE, closed)


def test_a_reported_close_without_result_ends_waiting_and_target_but_resolves_nothing() -> None:
    outcome = request(WAITING).reported(ending.close, step=after_hours(3, activity="Closed"), result=None).irregular("request.no_result")
    outcome.types("request.resumed", "request.target_set", "request.target_set", "request.target_met", "request.closed")
    outcome.has(RequestClosed, result=None, open_change=-1, activity="Closed", **lasted(3, waited=2))


def test_closing_again_is_silence_a_refusal_or_when_reported_one_more_close() -> None:
    request(*CLOSED).asked(ending.close, step=after_hours(4), result=None).nothing()
    request(*CLOSED).asked(ending.close, step=after_hours(4), result="refunded").refused("request.closed")
    again = request(*CLOSED).reported(ending.close, step=after_hours(4), result=None).irregular("request.closed")
    again.types("request.closed").has(RequestClosed, open_change=0, previous_status="closed")


def test_reopening_brings_it_back_with_a_new_resolution_target() -> None:
    request(*CLOSED).asked(ending.reopen, step=after_hours(5), reason="broke again").then(
        RequestReopened(**turned("open", "closed", 1), reopen_no=1, reason="broke again"),
        target(RESOLUTION, 77, previous_due_at=AT + 72 * HOUR, started_at=AT + 5 * HOUR, cause="reopening"),
    )
    request(MERGED).asked(ending.reopen, step=after_hours(5), reason=None).has(RequestReopened, previous_status="merged")


def test_reopening_an_open_request_is_silence_when_asked_and_irregular_when_reported() -> None:
    request().asked(ending.reopen, step=after_hours(5), reason=None).nothing()
    request().reported(ending.reopen, step=after_hours(5), reason=None).irregular("request.open").has(RequestReopened, open_change=0)


STEPS: list[tuple[Any, dict[str, Any], str]] = [
    (work.triage, {"category": None, "priority": "high"}, "request.triaged"),
    (work.assign, {"agent": "ben", "team": None}, "request.assigned"),
    (work.take, {"agent": "ben", "team": None}, "request.taken"),
    (talk.wait, {"on": "customer", "reason": None}, "request.waiting"),
    (talk.resume, {}, "request.resumed"),
    (work.escalate, {"level": None, "reason": None}, "request.escalated"),
]


@pytest.mark.parametrize(("decide", "values", "expected"), STEPS)
@pytest.mark.parametrize(("history", "code"), [(RESOLVED, "request.resolved"), (CLOSED, "request.closed"), ((MERGED,), "request.merged")])
def test_work_on_what_has_ended_is_refused_or_when_reported_reopens_it(
    decide: Any, values: dict[str, Any], expected: str, history: Any, code: str
) -> None:
    request(*history).asked(decide, step=after_hours(9), **values).refused(code)
    outcome = request(*history).reported(decide, step=after_hours(9, activity="Step"), **values)
    assert [event.type for event in outcome.events][:3] == ["request.reopened", "request.target_set", expected]
    assert [event.type for event in outcome.events if getattr(event, "activity", None)] == [expected]
    assert code in outcome.broken


def test_a_merged_request_goes_on_as_another_one() -> None:
    other = given(evolve, *NEW).state
    into = given(evolve, OTHER_OPENED).state
    assert isinstance(MERGED.event, RequestMerged)
    request().asked(ending.merge, step=after_hours(2), into=into).then(MERGED.event)
    request(MERGED).asked(ending.merge, step=after_hours(3), into=into).nothing()
    request().reported(ending.merge, step=after_hours(2), into=other).refused("request.merged_into_itself")


def test_a_request_is_merged_once_into_one_that_is_not_itself_merged_and_of_the_same_customer() -> None:
    def other(status: str, customer: UUID) -> Request:
        opened = replace(OTHER_OPENED, request_id=UUID(int=99), customer_id=customer)
        return replace(evolve(None, opened, AT), status=status)

    cases = [
        (request(MERGED), other("open", CUSTOMER), "request.merged"),
        (request(), other("merged", CUSTOMER), "request.target_merged"),
        (request(), other("open", OTHER), "request.other_customer"),
    ]
    for history, into, code in cases:
        history.asked(ending.merge, step=after_hours(2), into=into).refused(code)
        history.reported(ending.merge, step=after_hours(2), into=into).irregular(code)


def test_a_link_is_made_once_and_not_to_itself() -> None:
    link: dict[str, Any] = {"kind": "request", "linked_id": OTHER, "relation": "related"}
    linked = RequestLinked(**KEYS, linked_kind="request", linked_id=OTHER, relation="related")
    request().asked(work.link, step=after_hours(1), **link).then(linked)
    request(linked).asked(work.link, step=after_hours(1), **link).nothing()
    request(linked).reported(work.link, step=after_hours(1), **link).then(linked)
    request().reported(work.link, step=after_hours(1), **{**link, "linked_id": ID}).refused("request.linked_to_itself")
    request().reported(work.link, step=after_hours(1), **{**link, "relation": "married"}).refused("request.link")


def test_links_are_limited() -> None:
    links = [RequestLinked(**KEYS, linked_kind="request", linked_id=UUID(int=100 + n), relation="related") for n in range(work.MOST_LINKS)]
    refused = request(*links).reported(work.link, step=after_hours(1), kind="request", linked_id=OTHER, relation="related")
    refused.refused("request.too_many_links")


def test_a_step_that_no_other_event_stands_for_is_noted_by_its_name_and_reopens_nothing() -> None:
    request().reported(work.note_activity, step=after_hours(1)).refused("request.no_activity")
    request().asked(work.note_activity, step=after_hours(1, activity="VERIFIED")).refused("request.activity_asked")
    request(*CLOSED).reported(work.note_activity, step=after_hours(9, activity="VERIFIED", by="ben")).then(
        RequestActivityNoted(**{**KEYS, "status": "closed", "by": "ben", "activity": "VERIFIED"})
    )


def test_no_step_lies_before_the_opening_and_no_turn_before_the_last_one() -> None:
    before = Step(AT - HOUR)
    request().asked(work.take, step=before, agent="ana", team=None).refused("request.before_opening")
    request().reported(work.take, step=before, agent="ana", team=None).irregular("request.before_opening")
    request(*RESOLVED).asked(ending.reopen, step=after_hours(1), reason=None).refused("request.out_of_order")
    request(*RESOLVED).reported(ending.reopen, step=after_hours(1), reason=None).irregular("request.out_of_order")
    request(*RESOLVED).asked(talk.reply, step=after_hours(1), direction="from_customer").types("request.replied")


WHO = st.sampled_from([None, "ana", "ben"])
TEXT = st.sampled_from([None, "one", "two"])
REPORTS: list[tuple[Any, st.SearchStrategy[dict[str, Any]]]] = [
    (work.triage, st.fixed_dictionaries({"category": st.sampled_from([None, "complaint"]), "priority": st.sampled_from(PRIORITIES)})),
    (work.assign, st.fixed_dictionaries({"agent": WHO, "team": st.just("desk")})),
    (work.take, st.fixed_dictionaries({"agent": st.just("ana"), "team": WHO})),
    (work.hand_over, st.fixed_dictionaries({"agent": WHO, "team": st.just("desk"), "reason": TEXT})),
    (talk.respond, st.just({})),
    (talk.reply, st.fixed_dictionaries({"direction": st.sampled_from(talk.DIRECTIONS)})),
    (talk.wait, st.fixed_dictionaries({"on": st.sampled_from(talk.WAITED_ON), "reason": TEXT})),
    (talk.resume, st.just({})),
    (work.escalate, st.fixed_dictionaries({"level": st.sampled_from([None, 1, 9]), "reason": TEXT})),
    (ending.resolve, st.fixed_dictionaries({"result": TEXT})),
    (ending.close, st.fixed_dictionaries({"result": TEXT})),
    (ending.reopen, st.fixed_dictionaries({"reason": TEXT})),
    (work.link, st.fixed_dictionaries({"kind": st.just("request"), "linked_id": st.just(OTHER), "relation": st.just("related")})),
    (ending.merge, st.just({"into": given(evolve, OTHER_OPENED).state})),
    (work.note_activity, st.just({})),
]
HISTORIES = st.lists(
    st.integers(0, len(REPORTS) - 1).flatmap(lambda n: st.tuples(st.just(REPORTS[n][0]), REPORTS[n][1], st.integers(-48, 200))), max_size=25
)


def played(steps: list[tuple[Any, dict[str, Any], int]]) -> tuple[Request, list[tuple[RequestEvent, datetime]]]:
    """The request after reported steps, with every event and when it happened."""
    state: Any = None
    told: list[tuple[RequestEvent, datetime]] = []
    for event in NEW:
        state = evolve(state, event, AT)
        told.append((event, AT))
    for decide, values, hours in steps:
        step = after_hours(hours, activity="Step")
        decided = decide(state, Rules(reporting=True), step, **values)
        assert sum(event.activity is not None for event in decided) == 1, "every reported step is one event that bears its name"
        state = after(state, decided, step.at)
        told += [(event, step.at) for event in decided]
    return state, told


@drawn(HISTORIES)
def test_any_reported_history_is_taken_and_its_events_agree_with_the_state(steps: list[tuple[Any, dict[str, Any], int]]) -> None:
    final, told = played(steps)
    state: Any = None
    for event, when in told:
        previous, state = state, evolve(state, event, when)
        assert event.status == state.status
        assert (event.agent, event.team, event.category, event.priority) == (state.agent, state.team, state.category, state.priority)
        if isinstance(event, StatusEvent):
            assert event.previous_status == previous.status
    assert state == final
    assert sum(getattr(event, "open_change", 0) for event, _ in told) == int(final.active), "the changes add up to the backlog"
    waits = sum(event.waited_seconds for event, _ in told if isinstance(event, RequestResumed))
    assert waits == final.waited_seconds >= 0


@drawn(HISTORIES)
def test_a_target_is_settled_at_most_once_after_each_setting(steps: list[tuple[Any, dict[str, Any], int]]) -> None:
    _, told = played(steps)
    unsettled: set[str] = set()
    for event, _ in told:
        if isinstance(event, RequestTargetSet):
            unsettled.add(event.kind)
        elif isinstance(event, RequestTargetMet | RequestTargetBreached):
            unsettled.remove(event.kind)
