"""A Daybook that delivers webhooks, also to this machine, and one caller of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings, load_settings
from api.webhooks.deliverer import Deliverer, delivering
from api.wiring import Daybook, open_daybook
from tests.api.webhooks.receiver import Receiver, receiving


@dataclass
class House:
    """A Daybook and how it is spoken to."""

    daybook: Daybook
    http: TestClient
    deliverer: Deliverer | None = None
    customers: list[str] = field(default_factory=list[str])

    def register(self, count: int = 1, **more: Any) -> list[int]:
        """Customers, each an event; their positions."""
        lines = [{"command": "register_customer", "data": {"name": f"Firm {len(self.customers) + n}", **more}} for n in range(count)]
        results = self.http.post("/v1/commands", json=lines).raise_for_status().json()["results"]
        self.customers += [each["receipt"]["stream_id"] for each in results]
        return [int(each["receipt"]["position"]) for each in results]

    def give(self, command: str, **data: Any) -> dict[str, Any]:
        answer = self.http.post(f"/v1/commands/{command}", json=data)
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json())

    def subscribe(self, receiver: Receiver | str, **more: Any) -> dict[str, Any]:
        answer = self.http.post("/v1/webhooks", json={"url": receiver if isinstance(receiver, str) else receiver.url, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def ask(self, method: str, webhook: dict[str, Any], path: str = "", **request: Any) -> dict[str, Any]:
        answer = self.http.request(method, f"/v1/webhooks/{webhook['id']}{path}", **request)
        assert answer.status_code < 300, answer.text
        return cast("dict[str, Any]", answer.json()) if answer.content else {}

    def standing(self, webhook: dict[str, Any]) -> dict[str, Any]:
        return self.ask("GET", webhook)


@pytest.fixture(params=["files", "postgres"])
def places(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where log, keys and webhooks lie."""
    if request.param == "files":
        return {}
    url: str = request.getfixturevalue("postgres_url")
    return dict.fromkeys(("log_url", "keys_url", "lookups_url"), url)


@pytest.fixture
def settings(data_folder: Path) -> Settings:
    return load_settings(
        {}, data=data_folder, webhook_private=True, webhook_retry_seconds=0.05, webhook_attempts=4, webhook_timeout_seconds=2.0
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    """A Daybook that delivers."""
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http, delivering(daybook) as deliverer:
        yield House(daybook, http, deliverer)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running
