"""Many commands over HTTP: each for itself or all together, answered in order."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.wiring import Daybook

GOOD = {"command": "register_customer", "command_id": "g", "data": {"customer_id": {"source": "erp", "id": "c"}, "name": "Kwik-E-Mart"}}
AFTER = {"command": "rename_customer", "command_id": "a", "data": {"customer_id": {"source": "erp", "id": "c"}, "name": "Leftorium"}}
BAD = {"command": "rename_customer", "command_id": "b", "data": {"customer_id": {"source": "erp", "id": "nobody"}, "name": "x"}}


def ndjson(*lines: Any) -> bytes:
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def post(http: TestClient, content: bytes, parameters: str = "", content_type: str = "application/x-ndjson") -> Any:
    return http.post(f"/v1/commands{parameters}", content=content, headers={"content-type": content_type})


def test_each_command_is_answered_in_order(http: TestClient) -> None:
    answer = http.post("/v1/commands", json=[GOOD, BAD, AFTER])
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["refused"]) == (2, 1)
    assert [result["status"] for result in told["results"]] == [200, 404, 200]
    assert told["results"][1]["problem"]["command_id"] == "b"
    assert [result["receipt"]["version"] for result in told["results"] if "receipt" in result] == [1, 2]


def test_a_command_of_the_wrong_shape_is_refused_alone(http: TestClient) -> None:
    told = http.post("/v1/commands", json=[{"command": "register_customer", "data": {}}, GOOD]).json()
    assert [result["status"] for result in told["results"]] == [422, 200]


def test_ndjson_is_answered_with_ndjson(http: TestClient) -> None:
    answer = post(http, ndjson(GOOD, b"", b"{not json", BAD, AFTER))
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == [200, 400, 404, 200]


def test_all_or_none_applies_all(http: TestClient, daybook: Daybook) -> None:
    told = http.post("/v1/commands?atomic=true", json=[GOOD, AFTER]).json()
    assert told["accepted"] == 2
    assert daybook.books.log.head() == 2


def test_all_or_none_applies_none_and_tells_every_refusal(http: TestClient, daybook: Daybook) -> None:
    answer = http.post("/v1/commands?atomic=true", json=[GOOD, BAD, AFTER, {"command": "nonsense", "data": {}}])
    told = answer.json()
    assert (answer.status_code, told["code"]) == (409, "batch.not_applied")
    assert [(refusal["index"], refusal["problem"]["status"]) for refusal in told["refusals"]] == [(1, 404), (3, 404)]
    assert daybook.books.log.head() == 0


def test_all_or_none_of_ndjson_with_a_broken_line_is_none(http: TestClient, daybook: Daybook) -> None:
    answer = post(http, ndjson(GOOD, b"{not json"), "?atomic=true")
    assert answer.status_code == 409
    assert [refusal["index"] for refusal in answer.json()["refusals"]] == [1]
    assert daybook.books.log.head() == 0


def test_repeating_a_request_does_nothing_again(http: TestClient, daybook: Daybook) -> None:
    http.post("/v1/commands", json=[GOOD, AFTER])
    again = http.post("/v1/commands", json=[GOOD, AFTER]).json()
    assert [result["receipt"]["repeated"] for result in again["results"]] == [True, True]
    assert daybook.books.log.head() == 2


def test_the_version_that_was_seen_is_held_to(http: TestClient) -> None:
    told = http.post(
        "/v1/commands", json=[GOOD, {**AFTER, "expected_version": 7}, {**AFTER, "command_id": "a2", "expected_version": 1}]
    ).json()
    assert [result["status"] for result in told["results"]] == [200, 412, 200]


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ({"data": {}}, "/0/command"),
        ({"command": "x"}, "/0/data"),
        ({"command": "x", "data": []}, "/0/data"),
        ({"command": "x", "data": {}, "command_id": "two words"}, "/0/command_id"),
        ({"command": "x", "data": {}, "occurred_at": "yesterday"}, "/0/occurred_at"),
        ({"command": "x", "data": {}, "expected_version": -1}, "/0/expected_version"),
        ({"command": "x", "data": {}, "causation_id": ""}, "/0/causation_id"),
        ({"command": "x", "data": {}, "nonsense": 1}, "/0/nonsense"),
        ({"command": "x", "data": {}, "report": True}, "/0/report"),
        ("x", "/0"),
    ],
)
def test_a_line_of_the_wrong_shape_refuses_the_whole_list(http: TestClient, line: Any, pointer: str, daybook: Daybook) -> None:
    answer = http.post("/v1/commands", json=[line, GOOD])
    assert (answer.status_code, [place["pointer"] for place in answer.json()["places"]]) == (422, [pointer])
    assert daybook.books.log.head() == 0


def test_more_commands_than_one_request_may_hold_are_refused(http: TestClient) -> None:
    answer = http.post("/v1/commands", json=[GOOD] * 51)
    assert (answer.status_code, answer.json()["code"]) == (413, "bulk.too_many")


@pytest.mark.parametrize(
    ("content", "content_type", "parameters", "status"),
    [
        (b"[", "application/json", "", 400),
        (b"{}", "application/json", "", 400),
        (b"[]", "text/csv", "", 415),
        (b"[]", "application/json", "?atomic=yes", 422),
        (b"[]", "application/json", "?atomic=true&atomic=false", 422),
        (b" " * 100_001, "application/json", "", 413),
        (b"[]", "application/json", "?atomic=true", 200),
        (b"", "application/x-ndjson", "", 200),
    ],
)
def test_a_request_is_read_as_its_content_type_says(
    http: TestClient, content: bytes, content_type: str, parameters: str, status: int
) -> None:
    assert post(http, content, parameters, content_type).status_code == status
