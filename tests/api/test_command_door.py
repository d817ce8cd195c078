"""One command over HTTP: receipts for what was accepted, problems for the rest."""

import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.wiring import Daybook
from commands.catalogue import COMMANDS

PIPELINE = {"source": "erp", "id": "p"}
CUSTOMER = {"source": "erp", "id": "c"}
DEAL = {"source": "erp", "id": "d"}


def send(http: TestClient, name: str, body: dict[str, Any], status: int = 200, **headers: str) -> dict[str, Any]:
    answer = http.post(f"/v1/commands/{name}", json=body, headers={key.replace("_", "-"): value for key, value in headers.items()})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == ("application/json" if status == 200 else "application/problem+json")
    return answer.json()


@pytest.fixture
def deal(http: TestClient) -> dict[str, Any]:
    """The receipt of an open deal."""
    stages = [{"name": "Lead"}, {"name": "Offer"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    send(http, "define_pipeline", {"pipeline_id": PIPELINE, "name": "Sales", "stages": stages})
    send(http, "register_customer", {"customer_id": CUSTOMER, "name": "Kwik-E-Mart"})
    body = {"opportunity_id": DEAL, "customer_id": CUSTOMER, "pipeline_id": PIPELINE, "name": "Slush", "owner_id": "apu", "amount": "12.50"}
    return send(http, "open_opportunity", body)


def test_an_accepted_command_answers_with_its_receipt(http: TestClient, daybook: Daybook) -> None:
    answer = http.post("/v1/commands/register_customer", json={"name": "Kwik-E-Mart"})
    receipt = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert (receipt["version"], receipt["position"], receipt["repeated"]) == (1, 1, False)
    stored = daybook.books.log.read(0, 10)
    assert [(event.id, event.stream_id, event.actor, event.source) for event in stored] == [
        (receipt["event_ids"][0], receipt["stream_id"], "user:local", "api")
    ]


def test_a_repeated_command_id_gives_the_first_receipt(http: TestClient) -> None:
    first = send(http, "register_customer", {"name": "Kwik-E-Mart"}, idempotency_key="k-1")
    again = send(http, "register_customer", {"name": "Kwik-E-Mart"}, idempotency_key="k-1")
    assert first["command_id"] == "k-1"
    assert again == {**first, "repeated": True}


def test_a_command_id_with_another_content_is_refused(http: TestClient) -> None:
    send(http, "register_customer", {"name": "Kwik-E-Mart"}, idempotency_key="k-1")
    assert send(http, "register_customer", {"name": "Leftorium"}, 409, idempotency_key="k-1")["code"] == "command.id_reused"


def test_the_version_that_was_seen_is_held_to(http: TestClient, deal: dict[str, Any]) -> None:
    etag = f'"{deal["version"]}"'
    moved = send(http, "move_opportunity", {"opportunity_id": DEAL, "to_stage": "Offer"}, if_match=etag)
    assert moved["version"] == deal["version"] + 1
    refused = send(http, "win_opportunity", {"opportunity_id": DEAL}, 412, if_match=etag)
    assert refused["code"] == "version.mismatch"


def test_a_record_that_must_not_be_there_yet_is_version_nought(http: TestClient) -> None:
    assert send(http, "register_customer", {"name": "Kwik-E-Mart"}, if_match='"0"')["version"] == 1
    assert send(http, "register_customer", {"name": "Kwik-E-Mart"}, 412, if_match='"1"')["code"] == "version.mismatch"


def test_when_it_happened_is_kept(http: TestClient, daybook: Daybook) -> None:
    assert http.post("/v1/commands/register_customer?occurred_at=2025-03-01T10:30:00%2B01:00", json={"name": "x"}).status_code == 200
    assert daybook.books.log.read(0, 1)[0].occurred_at == "2025-03-01T09:30:00.000000Z"


@pytest.mark.parametrize(
    ("moment", "status", "code"),
    [
        ("2025-03-01", 422, "request.invalid"),
        ("2025-03-01T10:30:00", 422, "request.invalid"),
        ("2025-02-30T10:30:00Z", 422, "request.invalid"),
        ("1800-03-01T10:30:00Z", 409, "time.too_early"),
        ("9999-12-31T23:59:59-23:59", 409, "time.in_future"),
    ],
)
def test_a_moment_that_cannot_be_is_refused(http: TestClient, moment: str, status: int, code: str) -> None:
    answer = http.post("/v1/commands/register_customer", params={"occurred_at": moment}, json={"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_trace_is_kept_with_the_events(http: TestClient, daybook: Daybook) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    send(http, "register_customer", {"name": "x"}, traceparent=f"00-{trace}-{span}-01")
    stored = daybook.books.log.read(0, 1)[0]
    assert (stored.correlation_id, stored.causation_id) == (trace, span)


def test_a_rule_that_is_broken_is_a_conflict_with_its_code(http: TestClient, deal: dict[str, Any]) -> None:
    send(http, "win_opportunity", {"opportunity_id": deal["stream_id"]})
    refused = send(http, "move_opportunity", {"opportunity_id": DEAL, "to_stage": "Offer"}, 409, idempotency_key="k-2")
    assert (refused["code"], refused["command_id"]) == ("opportunity.closed", "k-2")


def test_a_record_that_is_not_there_is_not_found(http: TestClient) -> None:
    assert send(http, "win_opportunity", {"opportunity_id": str(uuid.uuid4())}, 404)["code"] == "opportunity.unknown"


def test_a_command_that_is_not_there_is_not_found(http: TestClient) -> None:
    assert send(http, "abolish_customer", {}, 404)["code"] == "command.unknown"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name"}),
        ({"name": 7}, {"/name"}),
        ({"name": "x", "nmae": "y"}, {"/nmae"}),
        ({"name": "   "}, {"/name"}),
        ({"name": "x", "customer_id": "not an id"}, {"/customer_id/uuid", "/customer_id/ExternalRef"}),
    ],
)
def test_a_wrong_shape_is_refused_naming_the_places(http: TestClient, body: dict[str, Any], pointers: set[str]) -> None:
    refused = send(http, "register_customer", body, 422)
    assert refused["code"] == "command.invalid"
    assert {place["pointer"] for place in refused["places"]} == pointers


def test_a_binary_fraction_is_refused_as_it_is_not_exact(http: TestClient, deal: dict[str, Any]) -> None:
    refused = send(http, "change_opportunity_amount", {"opportunity_id": DEAL, "amount": 12.75}, 422)
    assert [place["pointer"] for place in refused["places"]] == ["/amount"]
    assert send(http, "change_opportunity_amount", {"opportunity_id": DEAL, "amount": "12.75"})["version"] == deal["version"] + 1


def test_a_report_is_not_taken_at_this_door(http: TestClient) -> None:
    assert send(http, "register_customer", {"name": "x", "report": True}, 422)["code"] == "command.invalid"


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "body.malformed"),
        (b"", "application/json", 400, "body.malformed"),
        (b'{"name": "\xff"}', "application/json", 400, "body.malformed"),
        (b'{"name": NaN}', "application/json", 400, "body.malformed"),
        (b"[]", "application/json", 422, "command.invalid"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "content.unsupported"),
        (b'{"name": "%s"}' % (b"x" * 20_000), "application/json", 413, "body.too_large"),
        (b'{"name": "%s"}' % (b"x" * 200_000), "application/json", 413, "body.too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(http: TestClient, content: bytes, content_type: str, status: int, code: str) -> None:
    answer = http.post("/v1/commands/register_customer", content=content, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_without_a_content_type_is_refused(http: TestClient) -> None:
    assert http.post("/v1/commands/register_customer", content=b'{"name": "x"}').status_code == 415


@pytest.mark.parametrize(
    ("header", "value"),
    [("Idempotency-Key", "two words"), ("Idempotency-Key", "x" * 201), ("Idempotency-Key", ""), ("If-Match", "*"), ("If-Match", 'W/"1"')],
)
def test_a_malformed_header_is_refused(http: TestClient, header: str, value: str) -> None:
    answer = http.post("/v1/commands/register_customer", json={"name": "x"}, headers={header: value})
    assert (answer.status_code, answer.json()["places"][0]["pointer"]) == (422, f"/{header}")


def test_a_parameter_that_is_not_known_is_refused(http: TestClient) -> None:
    assert http.post("/v1/commands/register_customer?ocurred_at=2025-01-01T00:00:00Z", json={"name": "x"}).status_code == 422


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused_naming_the_one_there_is(http: TestClient, method: str) -> None:
    answer = http.request(method, "/v1/commands/register_customer")
    assert (answer.status_code, answer.headers["allow"], answer.json()["code"]) == (405, "POST", "http.method_not_allowed")


def test_while_closing_commands_are_refused_and_may_be_tried_again(http: TestClient, daybook: Daybook) -> None:
    daybook.group.close()
    answer = http.post("/v1/commands/register_customer", json={"name": "x"})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "daybook.closing", "1")


def test_every_command_is_in_the_document(http: TestClient) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert {f"/v1/commands/{name}" for name in COMMANDS} <= set(paths)


def test_what_can_be_asked_next_of_a_new_record_is_linked(http: TestClient) -> None:
    links = http.get("/openapi.json").json()["paths"]["/v1/commands/register_customer"]["post"]["responses"]["200"]["links"]
    assert links["rename_customer_customer_id"] == {
        "operationId": "rename_customer",
        "requestBody": {"customer_id": "$response.body#/stream_id"},
    }


def test_the_reference_page_needs_nothing_from_elsewhere(http: TestClient) -> None:
    page = http.get("/", follow_redirects=True)
    assert page.status_code == 200
    assert "://" not in page.text.replace("http-equiv", "")
    for part in ("/docs/start.js", "/static/swagger-ui/swagger-ui.css", "/static/swagger-ui/swagger-ui-bundle.js"):
        assert part in page.text
        assert http.get(part).status_code == 200
