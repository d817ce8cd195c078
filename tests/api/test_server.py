"""The application as it is served: the same answers with the busiest routes in front, and only to this machine."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app, create_server
from api.wiring import Daybook

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def served(daybook: Daybook) -> Iterator[TestClient]:
    with TestClient(create_server(daybook), base_url="http://127.0.0.1:8400") as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8400", "localhost:8400", "LOCALHOST", "[::1]:8400"])
def test_this_machine_is_served_by_its_names(served: TestClient, host: str) -> None:
    assert served.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["example.org", "example.org:8400", "127.0.0.1.example.org", "localhost.example.org:80", ""])
@pytest.mark.parametrize("path", ["/health", f"/v1/customers/{NOBODY}"])
def test_another_name_that_points_here_is_not_served(served: TestClient, host: str, path: str) -> None:
    answer = served.get(path, headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "host.unknown")


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", f"/v1/customers/{NOBODY}", {}),
        ("GET", "/v1/customers/nobody", {}),
        ("GET", f"/v1/customers/{NOBODY}?at_least=999", {}),
        ("GET", "/v1/customers/", {}),
        ("DELETE", f"/v1/customers/{NOBODY}", {}),
        ("POST", "/v1/commands/nonsense", {"json": {}}),
        ("POST", "/v1/commands/register_customer", {"json": {}}),
        ("POST", "/v1/commands/register_customer", {"content": b"{", "headers": {"content-type": "application/json"}}),
        ("POST", "/v1/commands/", {"json": []}),
        ("GET", "/v1/commands/register_customer", {}),
        ("GET", "/nowhere", {}),
    ],
)
def test_the_routes_in_front_answer_as_the_application_does(
    served: TestClient, daybook: Daybook, method: str, path: str, more: dict[str, Any]
) -> None:
    in_front, behind = served.request(method, path, **more), TestClient(create_app(daybook)).request(method, path, **more)
    assert (in_front.status_code, in_front.json()) == (behind.status_code, behind.json())
    assert in_front.headers.get("allow") == behind.headers.get("allow")
