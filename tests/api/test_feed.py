"""The feed over HTTP hands out every event in order; a record's history is there by its id."""

import json
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import Daybook, open_daybook


@pytest.fixture
def customers(http: TestClient) -> list[dict[str, Any]]:
    """The receipts of five customers."""
    return [
        http.post("/v1/commands/register_customer", json={"kind": "person", "name": f"Person {n}", "email": f"p{n}@example.com"}).json()
        for n in range(5)
    ]


def test_pages_lead_from_the_first_event_to_the_last_with_no_gap(http: TestClient, customers: list[dict[str, Any]]) -> None:
    seen: list[int] = []
    after = 0
    while True:
        page = http.get("/v1/events", params={"after": after, "limit": 2}).json()
        if not page["events"]:
            break
        seen += [event["position"] for event in page["events"]]
        after = page["after"]
    assert seen == list(range(1, customers[-1]["position"] + 1))
    assert page["head"] == after == seen[-1]


def test_personal_fields_are_readable_until_the_person_is_forgotten(
    http: TestClient, customers: list[dict[str, Any]], daybook: Daybook
) -> None:
    def told() -> tuple[str | None, str | None]:
        first, second = (event["data"] for event in http.get("/v1/events").json()["events"][:2])
        return first["person_name"], second["email"]

    assert told() == ("Person 0", "p0@example.com")
    daybook.books.vault.forget(UUID(customers[0]["stream_id"]))
    assert told() == (None, None)


def test_a_record_s_history_is_there_by_its_id(http: TestClient, customers: list[dict[str, Any]]) -> None:
    wanted = customers[2]["stream_id"]
    http.post("/v1/commands/rename_customer", json={"customer_id": wanted, "name": "Somebody else"})
    history = http.get(f"/v1/streams/{wanted}").json()
    assert history["version"] == 3
    assert [event["type"] for event in history["events"]] == ["customer.registered", "customer.contact_details_changed", "customer.renamed"]


def test_a_record_that_is_not_there_has_no_history(http: TestClient) -> None:
    answer = http.get("/v1/streams/00000000-0000-4000-8000-000000000000")
    assert (answer.status_code, answer.json()["code"]) == (404, "stream.unknown")


@pytest.mark.parametrize("parameters", [{"after": -1}, {"limit": 0}, {"limit": 10_001}, {"affter": 1}, {"after": "x"}])
def test_a_page_that_cannot_be_is_refused(http: TestClient, parameters: dict[str, Any]) -> None:
    assert http.get("/v1/events", params=parameters).status_code == 422


def told(lines: str) -> list[dict[str, Any]]:
    """The events of a stream, each under the position that is its id."""
    found: list[dict[str, Any]] = []
    for block in lines.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            event = json.loads(fields["data"])
            assert int(fields["id"]) == event["position"]
            found.append(event)
    return found


def positions(page: dict[str, Any]) -> list[int]:
    return [event["position"] for event in page["events"]]


STREAM = {"Accept": "text/event-stream"}


@pytest.mark.usefixtures("customers")
def test_a_stream_gives_what_pages_give_and_ends_where_it_is_told_to(http: TestClient) -> None:
    answer = http.get("/v1/events", params={"until": 6}, headers=STREAM)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    page = http.get("/v1/events", params={"until": 6, "changes": "true"}).json()
    assert told(answer.text) == page["events"]
    assert positions(page) == [1, 2, 3, 4, 5, 6]
    assert positions({"events": told(http.get("/v1/events", params={"limit": 3}, headers=STREAM).text)}) == [1, 2, 3]


@pytest.mark.usefixtures("customers")
def test_the_last_event_id_goes_before_the_address(http: TestClient) -> None:
    parameters = {"after": 2, "until": 6}
    again = http.get("/v1/events", params=parameters, headers={**STREAM, "Last-Event-ID": "4"})
    assert positions({"events": told(again.text)}) == [5, 6]
    assert http.get("/v1/events", params=parameters, headers={**STREAM, "Last-Event-ID": "6"}).status_code == 204


@pytest.mark.parametrize("headers", [{}, STREAM])
def test_a_position_that_nobody_can_have_seen_is_refused(
    http: TestClient, customers: list[dict[str, Any]], headers: dict[str, str]
) -> None:
    answer = http.get("/v1/events", params={"after": customers[-1]["position"] + 1}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "position.unwritten")


def test_no_more_streams_are_open_than_may_be(settings: Settings) -> None:
    with open_daybook(settings.model_copy(update={"max_streams": 0})) as daybook, TestClient(create_app(daybook)) as http:
        answer = http.get("/v1/events", headers=STREAM)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "feed.too_many_streams", "1")


def test_an_event_says_what_it_changed_and_because_of_what(http: TestClient, customers: list[dict[str, Any]]) -> None:
    wanted = customers[2]["stream_id"]
    http.post(
        "/v1/commands/rename_customer",
        json={"customer_id": wanted, "name": "Somebody else"},
        headers={"Idempotency-Key": "rename", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    )
    last = http.get("/v1/events", params={"after": customers[-1]["position"], "changes": "true"}).json()["events"][0]
    assert (last["before"], last["after"]) == ({"person_name": "Person 2"}, {"person_name": "Somebody else"})
    assert last["cause"] == {
        "command_id": "rename",
        "actor": "user:local",
        "source": "api",
        "correlation_id": "0af7651916cd43dd8448eb211c80319c",
        "causation_id": "b7ad6b7169203331",
    }


def test_what_was_forgotten_is_not_told_as_a_change_either(http: TestClient, customers: list[dict[str, Any]], daybook: Daybook) -> None:
    daybook.books.vault.forget(UUID(customers[0]["stream_id"]))
    first, second = http.get("/v1/events", params={"limit": 2, "changes": "true"}).json()["events"]
    assert "person_name" not in first["after"]
    assert (second["before"], second["after"]) == ({}, {})


def test_a_feed_of_some_events_goes_on_where_the_log_ends(http: TestClient, customers: list[dict[str, Any]]) -> None:
    head = customers[-1]["position"]
    wanted = customers[3]["stream_id"]
    registered = [2 * number + 1 for number in range(5)]
    for parameters, expected in [
        ({"type": "customer.registered"}, registered),
        ({"type": ["customer.registered", "customer.contact_details_changed"]}, list(range(1, head + 1))),
        ({"record": "request"}, []),
        ({"record": "customer", "type": "customer.registered"}, registered),
        ({"customer": wanted}, [7, 8]),
        ({"actor": "user:nobody"}, []),
        (
            {"source": "api", "occurred_from": "2020-01-01T00:00:00Z", "recorded_from": "2020-01-01T00:00:00+02:00"},
            list(range(1, head + 1)),
        ),
        ({"occurred_to": "2020-01-01T00:00:00Z"}, []),
        ({"recorded_to": "2020-01-01T00:00:00Z"}, []),
    ]:
        page = http.get("/v1/events", params=parameters).json()
        assert (positions(page), page["after"], page["head"]) == (expected, head, head), parameters
        stream = http.get("/v1/events", params={**parameters, "until": head}, headers=STREAM)
        assert positions({"events": told(stream.text)}) == expected
    first = http.get("/v1/events", params={"type": "customer.registered", "limit": 2}).json()
    assert (positions(first), first["after"]) == ([1, 3], 3)


@pytest.mark.parametrize(
    "parameters", [{"type": "customer.left"}, {"record": "car"}, {"customer": "x"}, {"occurred_from": "yesterday"}, {"changes": "perhaps"}]
)
def test_a_selection_that_cannot_be_is_refused(http: TestClient, parameters: dict[str, Any]) -> None:
    assert http.get("/v1/events", params=parameters).status_code == 422
