"""Reads over HTTP: they see what was written, say how far they go, page without gaps, and refuse with stable codes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_server
from api.wiring import Daybook
from tests.commands.orders import CUSTOMER, PIPELINE, deal, ext, order, receipt
from tests.readmodels.histories import at

NOBODY = uuid4()


@pytest.fixture
def ids(daybook: Daybook) -> dict[str, str]:
    """A small company; its records' ids, and `position`, where it ends."""
    orders = {
        "pipeline": PIPELINE,
        "customer": CUSTOMER,
        "contact": order("add_contact", contact_id=ext("bob"), customer_id=ext("acme"), name="Bob", email="bob@example.com"),
        "won": deal(1, amount="12.50", team="north"),
        "open": deal(2, amount="7"),
        "closing": order("win_opportunity", opportunity_id=ext(1)),
        "request": order("open_request", request_id=ext("r"), customer_id=ext("acme"), subject="Help", channel="email", category="bug"),
        "interaction": order("log_interaction", customer_id=ext("acme"), kind="call", direction="outbound", subject="Hello"),
        "survey": order("record_survey_answer", customer_id=ext("acme"), kind="nps", score=9, comment="fine", agent="ana"),
    }
    receipts = dict(zip(orders, map(receipt, daybook.books.dispatcher.execute(list(orders.values()))), strict=True))
    return {name: str(each.stream_id) for name, each in receipts.items()} | {"position": str(receipts["survey"].position)}


@pytest.fixture
def http(app: FastAPI, ids: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(app) as client:
        client.params = {"at_least": ids["position"]}
        yield client


def got(http: TestClient, path: str, **parameters: Any) -> Any:
    response = http.get(path, params=parameters)
    assert response.status_code == 200, response.text
    assert int(response.headers["Daybook-Position"]) >= int(http.params["at_least"])
    return response.json()


def refused(http: TestClient, path: str, **parameters: Any) -> tuple[int, str]:
    response = http.get(path, params=parameters)
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_a_customer_is_answered_whole(http: TestClient, ids: dict[str, str]) -> None:
    found = got(http, f"/v1/customers/{ids['customer']}")
    assert (found["name"], found["external_ids"][0]["id"]) == ("Acme", "acme")
    assert [person["email"] for person in found["contacts"]["people"]] == ["bob@example.com"]
    assert (found["deals"]["open_value"], found["deals"]["won_revenue"]) == ("7.00", "12.50")
    assert [request["subject"] for request in found["requests"]["current"]] == ["Help"]
    assert found["satisfaction"]["nps"] == {"answers": 1, "score": 100.0}
    assert found["health"]["verdict"] == "good"


def test_a_customer_can_be_asked_for_by_another_systems_name(http: TestClient, ids: dict[str, str]) -> None:
    assert got(http, "/v1/customers/by-external", source="test", id="acme")["customer_id"] == ids["customer"]
    assert refused(http, "/v1/customers/by-external", source="test", id="nobody") == (404, "customer.unknown")


def test_the_quick_way_to_a_customer_answers_as_the_other_one_does(daybook: Daybook, ids: dict[str, str]) -> None:
    daybook.reach(int(ids["position"]))
    with TestClient(create_server(daybook)) as server:
        quick, slow = (server.get(f"/v1/customers/{ids['customer']}", params=given) for given in ({}, {"at_least": 1}))
        assert (quick.status_code, slow.status_code) == (200, 200)
        assert {**quick.json(), "health": None, "requests": None} == {**slow.json(), "health": None, "requests": None}
        assert quick.headers["Daybook-Position"] == slow.headers["Daybook-Position"]
        unknown = server.get(f"/v1/customers/{NOBODY}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "customer.unknown")
        assert server.get("/v1/customers/nobody").status_code == 422
        assert server.get("/v1/customers/by-external", params={"source": "test", "id": "acme"}).status_code == 200
        assert server.get(f"/v1/customers/{ids['customer'].upper()}").status_code == 200


def test_a_timeline_has_every_event_in_sentences_page_by_page(http: TestClient, ids: dict[str, str]) -> None:
    path = f"/v1/customers/{ids['customer']}/timeline"
    everything = got(http, path, order="recorded")["items"]
    assert [event["type"] for event in everything][:3] == ["customer.registered", "contact.added", "opportunity.opened"]
    assert everything[1]["says"] == "Contact Bob added"
    paged: list[Any] = []
    cursor = None
    while True:
        page = got(http, path, order="recorded", limit=2, **({"cursor": cursor} if cursor else {}))
        paged += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == everything


def test_a_timeline_speaks_chinese_and_can_be_narrowed(http: TestClient, ids: dict[str, str]) -> None:
    path = f"/v1/customers/{ids['customer']}/timeline"
    assert got(http, path, kind="contact", language="zh")["items"][0]["says"] == "已添加联系人 Bob"
    assert {event["type"] for event in got(http, path, kind=["contact.added", "survey"])["items"]} >= {"contact.added", "survey.answered"}
    assert refused(http, path, kind="weather") == (422, "request.invalid")


def test_what_was_forgotten_is_marked_everywhere(http: TestClient, daybook: Daybook, ids: dict[str, str]) -> None:
    daybook.books.vault.forget(UUID(ids["contact"]))
    [person] = got(http, f"/v1/customers/{ids['customer']}")["contacts"]["people"]
    assert (person["name"], person["erased"]) == (None, True)
    [added] = got(http, f"/v1/customers/{ids['customer']}/timeline", kind="contact.added")["items"]
    assert (added["data"]["name"], sorted(added["erased"]), added["says"]) == (None, ["email", "name"], "Contact (erased) added")
    [listed] = got(http, "/v1/contacts")["items"]
    assert (listed["email"], listed["erased"]) == (None, True)


def test_a_comment_of_somebody_forgotten_is_null_and_marked(http: TestClient, daybook: Daybook, ids: dict[str, str]) -> None:
    assert [each["comment"] for each in got(http, "/v1/satisfaction/comments", survey="nps")["items"]] == ["fine"]
    daybook.books.vault.forget(UUID(ids["customer"]))
    [comment] = got(http, "/v1/satisfaction/comments", survey="nps")["items"]
    assert (comment["comment"], comment["erased"]) == (None, True)


def test_the_funnel_of_a_pipeline_in_both_views(http: TestClient, ids: dict[str, str]) -> None:
    [cohort] = got(http, "/v1/funnel", pipeline=ids["pipeline"])["funnels"]
    assert [(stage["stage"], stage["reached"]) for stage in cohort["stages"]] == [("Lead", 2), ("Offer", 1), ("Won", 1), ("Lost", 0)]
    [activity] = got(http, "/v1/funnel", view="activity", by="team", owner="ana")["funnels"]
    assert [(row["group"], row["won"], row["won_value"]) for row in activity["totals"]] == [("north", 1, "12.50"), (None, 0, "0.00")]


def test_satisfaction_by_agent(http: TestClient) -> None:
    [group] = got(http, "/v1/satisfaction", survey="nps", by="agent")["groups"]
    assert (group["group"], group["figure"], group["distribution"]["9"]) == ("ana", 100.0, 1)


def test_the_board_and_the_queue(http: TestClient, ids: dict[str, str]) -> None:
    [board] = got(http, "/v1/board", pipeline=ids["pipeline"], owner="ana")["boards"]
    assert [(stage["count"], stage["value"]) for stage in board["stages"]] == [(1, "7.00"), (0, "0.00"), (1, "12.50"), (0, "0.00")]
    [waiting] = got(http, "/v1/queue", priority="normal")["items"]
    assert waiting["request_id"] == ids["request"]
    assert timedelta(hours=7) < timedelta(seconds=waiting["seconds_left"]) <= timedelta(hours=8)


@pytest.mark.parametrize("name", ["customers", "contacts", "opportunities", "requests", "interactions", "surveys", "pipelines"])
def test_lists_and_single_records(http: TestClient, name: str) -> None:
    listed = got(http, f"/v1/{name}")["items"]
    assert listed
    record = {"opportunities": "opportunity"}.get(name, name.removesuffix("s"))
    if name != "customers":
        assert got(http, f"/v1/{name}/{listed[0][record + '_id']}") == listed[0]
    assert refused(http, f"/v1/{name}/{NOBODY}") == (404, f"{record}.unknown")


def test_lists_go_on_where_a_page_ended(http: TestClient, ids: dict[str, str]) -> None:
    first = got(http, "/v1/opportunities", limit=1, customer_id=ids["customer"])
    second = got(http, "/v1/opportunities", limit=1, customer_id=ids["customer"], cursor=first["next"])
    assert [page["items"][0]["opportunity_id"] for page in (first, second)] == sorted([ids["won"], ids["open"]])
    assert second["next"] is None
    assert refused(http, "/v1/opportunities", limit=1, status="open", cursor=first["next"]) == (404, "cursor.unknown")


def test_an_amount_is_exact_text(http: TestClient) -> None:
    assert {deal["amount"] for deal in got(http, "/v1/opportunities")["items"]} == {"12.50", "7.00"}


@pytest.mark.parametrize(
    ("path", "parameters", "status", "code"),
    [
        ("/v1/funnel", {"by": "weather"}, 422, "request.invalid"),
        ("/v1/funnel", {"since": "yesterday"}, 422, "request.invalid"),
        ("/v1/funnel", {"since": "2024-13-01"}, 422, "request.invalid"),
        ("/v1/funnel", {"since": "2024-02-01", "until": "2024-02-01"}, 409, "period.empty"),
        ("/v1/funnel", {"pipeline": NOBODY}, 404, "pipeline.unknown"),
        ("/v1/funnel", {"pipelines": "x"}, 422, "request.invalid"),
        ("/v1/satisfaction", {"survey": "joy"}, 422, "request.invalid"),
        ("/v1/satisfaction/comments", {"since": "2024-02-02", "until": "2024-02-01"}, 409, "period.empty"),
        ("/v1/board", {"pipeline": NOBODY}, 404, "pipeline.unknown"),
        ("/v1/queue", {"cursor": "A" * 40}, 404, "cursor.unknown"),
        ("/v1/queue", {"cursor": "?"}, 422, "request.invalid"),
        ("/v1/queue", {"limit": 501}, 422, "request.invalid"),
        ("/v1/contacts", {"is_primary": "yes"}, 422, "request.invalid"),
        (f"/v1/customers/{NOBODY}", {}, 404, "customer.unknown"),
        (f"/v1/customers/{NOBODY}/timeline", {}, 404, "customer.unknown"),
        ("/v1/customers", {"at_least": 10**6}, 409, "position.unwritten"),
        ("/v1/funnel", {"at_least": 10**6}, 409, "position.unwritten"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_code(http: TestClient, path: str, parameters: Any, status: int, code: str) -> None:
    assert refused(http, path, **parameters) == (status, code)


def test_a_read_sees_the_write_before_it(http: TestClient, app: FastAPI, ids: dict[str, str]) -> None:
    writer = TestClient(app)
    for number in range(20):
        made = writer.post("/v1/commands/log_interaction", json={"customer_id": ids["customer"], "kind": "note", "direction": "internal"})
        seen = got(http, f"/v1/customers/{ids['customer']}", at_least=made.json()["position"])
        assert seen["interactions"]["count"] == number + 2


def test_days_are_those_of_utc(http: TestClient, daybook: Daybook, ids: dict[str, str]) -> None:
    [opened] = daybook.books.dispatcher.execute([deal("early", opportunity_id=ext("early"))])
    day = at(0).date()
    last = receipt(opened).position
    [none] = got(http, "/v1/funnel", until=day, at_least=last)["funnels"]
    assert none["totals"] == []
    assert ids
