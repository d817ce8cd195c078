"""Explanations over HTTP and on the command line: any number's events, which come to it, as of any moment, page by page."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from api.app import create_app
from api.reading.shapes_of_explanations import (
    ExplanationBody,
    FunnelExplanationBody,
    SatisfactionExplanationBody,
    WaterfallExplanationBody,
)
from api.settings import load_settings
from api.wiring import Daybook, open_daybook
from tests.commands.orders import PIPELINE, deal, ext, order, receipt
from tests.readmodels.histories import at

NOBODY = UUID("01900000-0000-7000-8000-00000000dead")


@pytest.fixture(scope="module")
def daybook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daybook]:
    with open_daybook(load_settings({}, data=tmp_path_factory.mktemp("data"), max_wait_seconds=5.0), follow=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(daybook: Daybook) -> FastAPI:
    return create_app(daybook)


@pytest.fixture(scope="module")
def ids(daybook: Daybook) -> dict[str, str]:
    """A customer with a contact, two deals of which one is won, and two answers; its records' ids."""
    orders = {
        "pipeline": replace(PIPELINE, occurred_at=at(1), report=True),
        "customer": order("register_customer", customer_id=ext("acme"), name="Acme", industry="Retail", owner_id="ana"),
        "contact": order("add_contact", contact_id=ext("bob"), customer_id=ext("acme"), name="Bob", email="bob@example.com"),
        "one": deal(1, amount="10.00", at=at(10), report=True),
        "two": deal(2, amount="7", at=at(20), report=True),
        "raised": order("change_opportunity_amount", opportunity_id=ext(1), amount="12.50", at=at(30), report=True),
        "closing": order("win_opportunity", opportunity_id=ext(1), at=at(40), report=True),
        "survey": order(
            "record_survey_answer", customer_id=ext("acme"), kind="nps", score=9, comment="fine", agent="ana", at=at(50), report=True
        ),
        "grumble": order("record_survey_answer", customer_id=ext("acme"), kind="nps", score=3, agent="ana", at=at(51), report=True),
    }
    receipts = dict(zip(orders, map(receipt, daybook.books.dispatcher.execute(list(orders.values()))), strict=True))
    return {name: str(each.stream_id) for name, each in receipts.items()} | {"position": str(receipts["grumble"].position)}


@pytest.fixture(scope="module")
def http(app: FastAPI, ids: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(app) as client:
        client.params = {"at_least": ids["position"]}
        yield client


def got(http: TestClient, path: str, **parameters: Any) -> Any:
    response = http.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def refused(http: TestClient, path: str, **parameters: Any) -> tuple[int, str]:
    response = http.get(path, params=parameters)
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def test_a_total_is_the_sum_of_its_events(http: TestClient, ids: dict[str, str]) -> None:
    found = got(http, f"/v1/explain/customer_360/{ids['customer']}/open_value")
    assert (found["shown"], found["comes_to"], found["agrees"], found["rule"]) == ("7.00", "7.00", True, "total")
    counted = [(item["type"], item["counts"]["value"], item["counts"]["sign"], item["counts"]["so_far"]) for item in found["items"]]
    assert counted == [
        ("opportunity.opened", "10.00", 1, "10.00"),
        ("opportunity.opened", "7.00", 1, "17.00"),
        ("opportunity.amount_changed", "2.50", 1, "19.50"),
        ("opportunity.won", "12.50", -1, "7.00"),
    ]
    assert found["items"][3]["counts"]["when"] == ["previous_status is open"]
    assert [(each["type"], each["events"], each["comes_to"]) for each in found["by_type"]][2] == ("opportunity.won", 1, "-12.50")
    won = found["items"][3]
    assert (won["occurred_at"], won["actor"], won["source"], won["record"]["id"]) == (
        "2024-01-17T00:00:00.000000Z",
        won["actor"],
        won["source"],
        ids["one"],
    )
    assert won["recorded_at"] > won["occurred_at"]


def test_the_winner_of_a_latest_value_is_named(http: TestClient, ids: dict[str, str]) -> None:
    found = got(http, f"/v1/explain/opportunities/{ids['one']}/base_amount", order="-recorded", limit=1)
    assert (found["shown"], found["events"], found["items"][0]["counts"]["won"]) == ("12.50", 2, True)
    assert found["won_by"] == found["items"][0]["position"]
    rest = got(http, f"/v1/explain/opportunities/{ids['one']}/base_amount", order="-recorded", limit=1, cursor=found["next"])
    assert ([item["counts"]["won"] for item in rest["items"]], rest["next"]) == ([False], None)


def test_a_cell_is_explained_as_of_another_moment_by_either_clock(http: TestClient, ids: dict[str, str]) -> None:
    path = f"/v1/explain/customer_360/{ids['customer']}/open_value"
    past = got(http, path, as_of="2024-01-16T20:00:00Z")
    assert (past["shown"], past["comes_to"], past["agrees"], past["events"]) == ("19.50", "19.50", True, 3)
    assert refused(http, path, known_at="2024-01-16T20:00:00Z") == (404, "row.unknown")


def test_personal_values_are_readable_and_empty_once_their_person_is_forgotten(
    http: TestClient, daybook: Daybook, ids: dict[str, str]
) -> None:
    found = got(http, f"/v1/explain/contacts/{ids['contact']}/email")
    assert (found["shown"], found["comes_to"], found["items"][0]["counts"]["value"]) == (
        "bob@example.com",
        "bob@example.com",
        "bob@example.com",
    )
    added = order("add_contact", contact_id=ext("eve"), customer_id=ext("acme"), name="Eve", email="eve@example.com")
    forgotten = order("erase_contact", contact_id=ext("eve"), legal_basis="consent_withdrawn")
    eve, proof = map(receipt, [*daybook.books.dispatcher.execute([added]), *daybook.books.dispatcher.execute([forgotten])])
    gone = got(http, f"/v1/explain/contacts/{eve.stream_id}/email", at_least=proof.position)
    assert (gone["shown"], gone["comes_to"], gone["agrees"], gone["won_by"]) == (None, None, True, proof.position)
    assert [(item["type"], item["counts"]["value"]) for item in gone["items"]] == [("contact.added", None), ("contact.erased", None)]


def test_composite_keys_are_spelled_with_commas(http: TestClient, ids: dict[str, str]) -> None:
    found = got(http, f"/v1/explain/stage_visits/{ids['one']},0/left_at")
    assert (found["key"], found["shown"]) == ({"opportunity_id": ids["one"], "move_no": 0}, "2024-01-17T00:00:00.000000Z")
    assert [item["type"] for item in found["items"]] == ["opportunity.won"]
    named = got(http, "/v1/explain/customer_external_ids/test,acme," + ids["customer"] + "/since")
    assert named["agrees"]


def test_a_bar_of_the_funnel_is_its_deals_and_they_are_their_events(http: TestClient, ids: dict[str, str]) -> None:
    [funnel] = got(http, "/v1/funnel", pipeline=ids["pipeline"])["funnels"]
    for row in funnel["stages"]:
        for number in ("reached", "value", "now_in", "step_rate", "median_days"):
            found = got(http, "/v1/explain/funnel", pipeline=ids["pipeline"], stage=row["stage"], number=number)
            assert (found["shown"], found["agrees"]) == (row[number], True), (row["stage"], number)
    found = got(http, "/v1/explain/funnel", number="won_value")
    assert (found["shown"], found["rows"], found["items"][0]["id"], found["items"][0]["value"]) == ("12.50", 1, ids["one"], "12.50")
    because = {event["type"]: [cell["column"] for cell in event["cells"]] for event in found["items"][0]["events"]}
    assert because["opportunity.amount_changed"] == ["base_amount"]
    assert because["opportunity.won"] == ["stage", "status", "stage"]
    cell = found["items"][0]["events"][0]["cells"][0]
    assert got(http, f"/v1/explain/{cell['fold']}/{cell['key']}/{cell['column']}")["agrees"]


def test_a_figure_is_explained_as_of_another_moment(http: TestClient, ids: dict[str, str]) -> None:
    found = got(http, "/v1/explain/funnel", pipeline=ids["pipeline"], number="open_value", as_of="2024-01-16T20:00:00Z")
    assert (found["shown"], found["comes_to"], found["rows"]) == ("19.50", "19.50", 2)
    assert "opportunity.won" not in {event["type"] for row in found["items"] for event in row["events"]}


def test_satisfaction_is_its_surveys(http: TestClient, ids: dict[str, str]) -> None:
    found = got(http, "/v1/explain/satisfaction", survey="nps")
    assert (found["shown"], found["comes_to"], sorted(row["value"] for row in found["items"])) == (0.0, 0.0, [-100, 100])
    one = got(http, "/v1/explain/satisfaction", survey="nps", number="distribution", score=9)
    assert ([row["id"] for row in one["items"]], one["items"][0]["events"][-1]["data"]["comment"]) == ([ids["survey"]], "fine")


def test_a_bar_of_the_waterfall_is_its_deals_page_by_page(http: TestClient, ids: dict[str, str]) -> None:
    asked = {"since": "2024-01-01", "bar": "new", "limit": 1}
    first = got(http, "/v1/explain/waterfall", **asked)
    second = got(http, "/v1/explain/waterfall", **asked, cursor=first["next"])
    assert (first["shown"], first["comes_to"], first["rows"], second["next"]) == ("17.00", "17.00", 2, None)
    assert [row["id"] for row in (*first["items"], *second["items"])] == [ids["one"], ids["two"]]
    closing = got(http, "/v1/explain/waterfall", since="2024-01-01", bar="closing")
    assert ([row["id"] for row in closing["items"]], closing["agrees"]) == ([ids["two"]], True)
    assert [event["type"] for event in closing["items"][0]["events"]] == ["opportunity.opened"]
    opening = got(http, "/v1/explain/waterfall", since="2024-01-16T18:00:00Z", bar="opening", pipeline=ids["pipeline"])
    assert opening["shown"] == "19.50"
    assert "opportunity.won" not in {event["type"] for row in opening["items"] for event in row["events"]}


@pytest.mark.parametrize(
    ("path", "asked", "status", "code"),
    [
        ("/v1/explain/deals/x/y", {}, 404, "fold.unknown"),
        ("/v1/explain/opportunities/{one}/colour", {}, 404, "column.unknown"),
        ("/v1/explain/opportunities/{one}/opportunity_id", {}, 404, "column.unknown"),
        (f"/v1/explain/opportunities/{NOBODY}/stage", {}, 404, "row.unknown"),
        (f"/v1/explain/stage_visits/{NOBODY},1/stage", {}, 404, "row.unknown"),
        (f"/v1/explain/opportunities/{NOBODY}/stage", {"as_of": "2024-01-16"}, 404, "row.unknown"),
        ("/v1/explain/opportunities/one/stage", {}, 422, "key.misspelled"),
        ("/v1/explain/stage_visits/{one}/stage", {}, 422, "key.misspelled"),
        ("/v1/explain/opportunities/{one}/stage", {"order": "up"}, 422, "request.invalid"),
        ("/v1/explain/opportunities/{one}/stage", {"cursor": "A" * 40}, 404, "cursor.unknown"),
        ("/v1/explain/funnel", {"pipeline": str(NOBODY), "number": "won"}, 404, "pipeline.unknown"),
        ("/v1/explain/funnel", {"stage": "nowhere"}, 404, "bar.unknown"),
        ("/v1/explain/funnel", {"number": "reached"}, 404, "bar.unknown"),
        ("/v1/explain/funnel", {"number": "won", "group": "nobody", "by": "owner"}, 404, "bar.unknown"),
        ("/v1/explain/satisfaction", {"survey": "ces"}, 404, "bar.unknown"),
        ("/v1/explain/waterfall", {"bar": "won", "group": "x"}, 404, "bar.unknown"),
        ("/v1/explain/waterfall", {}, 422, "request.invalid"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    http: TestClient, ids: dict[str, str], path: str, asked: dict[str, str], status: int, code: str
) -> None:
    assert refused(http, path.format(**ids), **asked) == (status, code)


@pytest.mark.parametrize(
    ("path", "asked", "shape"),
    [
        ("/v1/explain/contacts/{contact}/email", {}, ExplanationBody),
        ("/v1/explain/pipelines/{pipeline}/name", {}, ExplanationBody),
        ("/v1/explain/funnel", {"number": "won"}, FunnelExplanationBody),
        ("/v1/explain/satisfaction", {"survey": "nps"}, SatisfactionExplanationBody),
        ("/v1/explain/waterfall", {"since": "2024-01-01", "bar": "won"}, WaterfallExplanationBody),
    ],
)
def test_answers_have_the_published_shape(
    http: TestClient, ids: dict[str, str], path: str, asked: dict[str, str], shape: type[BaseModel]
) -> None:
    answer = got(http, path.format(**ids), **asked)
    assert shape.model_validate(answer, extra="forbid")
    assert answer["items"]
