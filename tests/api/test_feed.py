"""The feed over HTTP hands out every event in order; a record's history is there by its id."""

from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from api.wiring import Daybook


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
