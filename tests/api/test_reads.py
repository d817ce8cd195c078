"""Reads over HTTP: they see what was written, say how far they go, page without gaps, and refuse with stable codes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from api.app import create_app, create_server
from api.reading.shapes import CommentsBody, FunnelBody, SatisfactionBody, TimelineBody, WaterfallBody, WaterfallDealsBody
from api.reading.shapes_of_records import PAGES, RECORDS, BoardBody, CustomerBody, QueueBody
from api.settings import load_settings
from api.wiring import Daybook, open_daybook
from tests.commands.orders import CUSTOMER, PIPELINE, deal, ext, order, receipt
from tests.readmodels.histories import at

NOBODY = UUID("01900000-0000-7000-8000-00000000dead")


@pytest.fixture(scope="module")
def daybook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daybook]:
    """One Daybook for all these tests: they read, and what some of them write is about records of their own."""
    with open_daybook(load_settings({}, data=tmp_path_factory.mktemp("data"), max_wait_seconds=5.0), follow=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(daybook: Daybook) -> FastAPI:
    return create_app(daybook)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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
    with TestClient(create_server(daybook), base_url="http://127.0.0.1") as server:
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


def person(daybook: Daybook, name: str) -> tuple[str, str, int]:
    """A person who is a customer with a contact and a comment: both their ids, and the position."""
    orders = [
        order("register_customer", customer_id=ext(name), kind="person", name=name),
        order("add_contact", contact_id=ext(name), customer_id=ext(name), name=name, email="ann@example.com"),
        order("record_survey_answer", customer_id=ext(name), kind="csat", score=5, comment="fine"),
    ]
    made = [receipt(outcome) for outcome in daybook.books.dispatcher.execute(orders)]
    return str(made[0].stream_id), str(made[1].stream_id), made[2].position


def test_what_was_forgotten_is_marked_everywhere(http: TestClient, daybook: Daybook) -> None:
    customer_id, contact_id, position = person(daybook, "Ann")
    daybook.books.vault.forget(UUID(contact_id))
    [contact] = got(http, f"/v1/customers/{customer_id}", at_least=position)["contacts"]["people"]
    assert (contact["name"], contact["erased"]) == (None, True)
    [added] = got(http, f"/v1/customers/{customer_id}/timeline", kind="contact.added", at_least=position)["items"]
    assert (added["data"]["name"], sorted(added["erased"]), added["says"]) == (None, ["email", "name"], "Contact (erased) added")
    listed = got(http, f"/v1/contacts/{contact_id}")
    assert (listed["email"], listed["erased"]) == (None, True)


def test_a_comment_of_somebody_forgotten_is_null_and_marked(http: TestClient, daybook: Daybook) -> None:
    customer_id, _, position = person(daybook, "Bea")
    asked = {"survey": "csat", "at_least": position, "limit": 1}
    assert [each["comment"] for each in got(http, "/v1/satisfaction/comments", **asked)["items"]] == ["fine"]
    daybook.books.vault.forget(UUID(customer_id))
    [comment] = got(http, "/v1/satisfaction/comments", **asked)["items"]
    assert (comment["comment"], comment["erased"]) == (None, True)
    assert (got(http, f"/v1/customers/{customer_id}")["name"], got(http, f"/v1/customers/{customer_id}")["erased"]) == (None, True)


def test_the_funnel_of_a_pipeline_in_both_views(http: TestClient, ids: dict[str, str]) -> None:
    [cohort] = got(http, "/v1/funnel", pipeline=ids["pipeline"])["funnels"]
    assert [(stage["stage"], stage["reached"]) for stage in cohort["stages"]] == [("Lead", 2), ("Offer", 1), ("Won", 1), ("Lost", 0)]
    [activity] = got(http, "/v1/funnel", view="activity", by="team", owner="ana")["funnels"]
    assert [(row["group"], row["won"], row["won_value"]) for row in activity["totals"]] == [("north", 1, "12.50"), (None, 0, "0.00")]


def test_the_waterfall_of_this_quarter_and_the_deals_behind_a_bar(http: TestClient, ids: dict[str, str]) -> None:
    answer = got(http, "/v1/waterfall", pipeline=ids["pipeline"])
    [change] = answer["waterfalls"]
    bars = {step["bar"]: (step["value"], step["times"]) for step in change["steps"] if step["times"]}
    assert bars == {"new": ("19.50", 2), "won": ("-12.50", 1), "closing": ("7.00", 1)}
    assert (answer["currency"], answer["until"], answer["since"][7:]) == ("EUR", None, "-01T00:00:00.000000Z")
    first = got(http, "/v1/waterfall/deals", pipeline=ids["pipeline"], bar="new", limit=1)
    second = got(http, "/v1/waterfall/deals", pipeline=ids["pipeline"], bar="new", limit=1, cursor=first["next"])
    assert [(deal["opportunity_id"], deal["value"]) for page in (first, second) for deal in page["items"]] == [
        (ids["won"], "12.50"),
        (ids["open"], "7.00"),
    ]
    assert second["next"] is None
    [north] = got(http, "/v1/waterfall/deals", by="team", group="north", bar="won")["items"]
    assert (north["opportunity_id"], north["group"], len(north["positions"])) == (ids["won"], "north", 1)


def test_a_waterfall_is_from_one_moment_to_another(http: TestClient, ids: dict[str, str]) -> None:
    asked = {"pipeline": ids["pipeline"], "since": "2024-02-29T12:00:00+01:00", "until": "2024-03-01"}
    answer = got(http, "/v1/waterfall", **asked)
    assert (answer["since"], answer["until"]) == ("2024-02-29T11:00:00.000000Z", "2024-03-01T00:00:00.000000Z")
    assert not [step for change in answer["waterfalls"] for step in change["steps"] if step["times"]]
    assert got(http, "/v1/waterfall", until="2024-04-01")["since"] == "2024-01-01T00:00:00.000000Z"
    assert got(http, "/v1/waterfall", since="1999-01-01", until="9999-12-31T23:59:59-12:00", closing_from="2024-01-01")["waterfalls"]


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
        ("/v1/waterfall", {"since": "yesterday"}, 422, "request.invalid"),
        ("/v1/waterfall", {"since": "2024-02-30"}, 422, "request.invalid"),
        ("/v1/waterfall", {"since": "1850-02-03"}, 409, "time.too_early"),
        ("/v1/waterfall", {"since": "2024-02-01", "until": "2024-02-01"}, 409, "period.empty"),
        ("/v1/waterfall", {"closing_from": "2024-02-01", "closing_until": "2024-02-01"}, 409, "period.empty"),
        ("/v1/waterfall", {"pipeline": NOBODY}, 404, "pipeline.unknown"),
        ("/v1/waterfall", {"by": "stage"}, 422, "request.invalid"),
        ("/v1/waterfall/deals", {}, 422, "request.invalid"),
        ("/v1/waterfall/deals", {"bar": "new", "cursor": "A" * 40}, 404, "cursor.unknown"),
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


ANSWERS: dict[str, type[BaseModel]] = {
    "/v1/customers/{customer}": CustomerBody,
    "/v1/customers/{customer}/timeline": TimelineBody,
    "/v1/customers/{customer}/timeline?language=zh&order=-recorded": TimelineBody,
    "/v1/funnel": FunnelBody,
    "/v1/funnel?view=activity&by=product": FunnelBody,
    "/v1/waterfall?by=owner": WaterfallBody,
    "/v1/waterfall?since=2024-01-01&until=2024-04-01T00:00:00Z&closing_from=2024-01-01": WaterfallBody,
    "/v1/waterfall/deals?bar=won": WaterfallDealsBody,
    "/v1/satisfaction?survey=nps&by=week": SatisfactionBody,
    "/v1/satisfaction/comments?survey=nps": CommentsBody,
    "/v1/board": BoardBody,
    "/v1/queue": QueueBody,
    **{f"/v1/{name}": page for name, page in PAGES.items()},
    "/v1/contacts/{contact}": RECORDS["contacts"],
    "/v1/opportunities/{won}": RECORDS["opportunities"],
    "/v1/requests/{request}": RECORDS["requests"],
    "/v1/interactions/{interaction}": RECORDS["interactions"],
    "/v1/surveys/{survey}": RECORDS["surveys"],
    "/v1/pipelines/{pipeline}": RECORDS["pipelines"],
}


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_is_as_the_document_says(http: TestClient, ids: dict[str, str], path: str) -> None:
    place, _, query = path.partition("?")
    answer = got(http, place.format(**ids), **dict(pair.split("=") for pair in query.split("&") if pair))
    ANSWERS[path].model_validate_json(orjson.dumps(answer), strict=True)


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
