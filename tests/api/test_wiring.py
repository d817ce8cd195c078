"""A Daybook is put together from its settings, on files or on PostgreSQL, and keeps to what cannot change."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import InvalidSettings, load_settings
from api.wiring import open_books, open_daybook


def registered(http: TestClient) -> str:
    return http.post("/v1/commands/register_customer", json={"kind": "person", "name": "Apu", "email": "apu@example.com"}).json()[
        "stream_id"
    ]


def test_everything_is_there_again_when_it_is_opened_again(data_folder: Path) -> None:
    settings = load_settings({}, data=data_folder)
    with open_daybook(settings) as daybook:
        customer_id = registered(TestClient(create_app(daybook)))
    with open_daybook(settings) as daybook:
        assert TestClient(create_app(daybook)).get(f"/v1/customers/{customer_id}").json()["name"] == "Apu"


def test_log_keys_and_lookups_may_lie_in_postgresql(data_folder: Path, postgres_url: str) -> None:
    settings = load_settings({}, data=data_folder, log_url=postgres_url, keys_url=postgres_url, lookups_url=postgres_url)
    with open_daybook(settings, follow=True) as daybook:
        http = TestClient(create_app(daybook))
        customer_id = registered(http)
        position = http.get("/v1/events").json()["head"]
        told = http.get(f"/v1/customers/{customer_id}", params={"at_least": position}).json()
    assert (told["name"], told["email"]) == ("Apu", "apu@example.com")
    assert not {"log.db", "keys.db", "lookups.db"} & {path.name for path in data_folder.iterdir()}


def test_the_base_currency_cannot_change_once_there_are_events(data_folder: Path) -> None:
    with open_books(load_settings({}, data=data_folder, base_currency="USD")):
        pass
    with open_daybook(load_settings({}, data=data_folder, base_currency="CHF")) as daybook:
        registered(TestClient(create_app(daybook)))
    with pytest.raises(InvalidSettings, match="DAYBOOK_BASE_CURRENCY=CHF"), open_books(load_settings({}, data=data_folder)):
        pytest.fail("amounts of two base currencies would be added up")


def test_a_fold_that_follows_is_as_far_as_is_asked(data_folder: Path) -> None:
    with open_daybook(load_settings({}, data=data_folder), follow=True) as daybook:
        http = TestClient(create_app(daybook))
        for _ in range(5):
            customer_id = registered(http)
            head = http.get("/v1/events", params={"limit": 1}).json()["head"]
            assert http.get(f"/v1/customers/{customer_id}", params={"at_least": head}).json()["name"] == "Apu"
