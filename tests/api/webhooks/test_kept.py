"""What is stored of webhooks: by one deliverer at a time, nothing in clear that identifies a person or signs a message, and in backups."""

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings, load_settings
from api.webhooks.deliverer import delivering
from api.wiring import open_daybook
from bus.webhooks.deliveries import Deliveries, LeaseLostError
from bus.webhooks.model import New
from bus.webhooks.store import WebhookStore
from domain.errors import NotFound, RuleViolation
from tests.api.test_erasure import contents
from tests.api.webhooks.conftest import House
from tests.api.webhooks.receiver import Receiver, Reply, eventually, receiving


@pytest.fixture
def settings(data_folder: Path, places: dict[str, str]) -> Settings:
    more = {"webhook_private": True, "webhook_retry_seconds": 0.05, "webhook_attempts": 3, "webhook_timeout_seconds": 2.0}
    return load_settings({}, data=data_folder, **more, **places)


@pytest.fixture
def store(data_folder: Path, places: dict[str, str]) -> WebhookStore:
    return WebhookStore(places.get("log_url", data_folder / "webhooks.db"))


def new(number: int = 1) -> New:
    return New(id=f"00000000-0000-4000-8000-{number:012}", url="https://example.com/", description=None, sealed=b"s")


def test_one_process_at_a_time_delivers_and_another_takes_over(store: WebhookStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(new(), 10, time.time())
    ours, theirs = Deliveries(store, "ours"), Deliveries(store, "theirs")
    [claimed] = ours.claim()
    assert theirs.claim() == []
    ours.settle(claimed.subscription, 5, [])
    with pytest.raises(LeaseLostError):
        theirs.settle(claimed.subscription, 99, [])
    until = time.time() + 60

    def later(_: object) -> float:
        return until

    monkeypatch.setattr(store, "now", later)
    [taken] = theirs.claim()
    assert taken.subscription.position == 5
    with pytest.raises(LeaseLostError):
        ours.settle(claimed.subscription, 6, [])
    theirs.settle(taken.subscription, 7, [])
    store.replay(taken.subscription.id, 0)
    with pytest.raises(LeaseLostError):
        theirs.settle(taken.subscription, 8, [])
    assert store.get(taken.subscription.id).position == 0
    theirs.release()
    assert [each.subscription.position for each in ours.claim()] == [0]
    store.close()


def test_there_are_no_more_than_may_be_and_unknown_ones_are_unknown(store: WebhookStore) -> None:
    store.add(new(1), 1, 1.0)
    with pytest.raises(RuleViolation):
        store.add(new(2), 1, 1.0)
    with pytest.raises(NotFound):
        store.pause(new(2).id)
    store.close()


def test_who_delivers_next_goes_on_where_the_one_before_stopped(settings: Settings, receiver: Receiver) -> None:
    """One that stops gives its leases back, and has written down how far it came: nothing is sent twice."""
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http:
        house = House(daybook, http)
        with delivering(daybook):
            house.subscribe(receiver)
            house.register(10)
            receiver.until(10)
        house.register(10)
        with delivering(daybook):
            receiver.until(20)
    assert sorted(receiver.positions) == list(range(1, 21))


def test_nothing_of_a_person_or_a_secret_lies_in_clear(settings: Settings) -> None:
    """Not even where the receiver sends back what it was sent; what it answered goes with the person."""
    with (
        open_daybook(settings) as daybook,
        TestClient(create_app(daybook)) as http,
        delivering(daybook),
        receiving(lambda message: Reply(500, body=message.body[message.body.find(b"person_name") :])) as receiver,
    ):
        house = House(daybook, http)
        webhook = house.subscribe(receiver)
        person = house.give("register_customer", kind="person", name="Wilhelmina Quast")["stream_id"]
        eventually(lambda: house.standing(webhook)["dead"] == 1)
        [dead] = house.ask("GET", webhook, "/dead")["dead"]
        assert "Wilhelmina Quast" in dead["excerpt"]
        found = contents(settings)
        assert [place for place, raw in found.items() if b"Wilhelmina" in raw] == []
        assert [place for place, raw in found.items() if webhook["secret"].removeprefix("whsec_").encode() in raw] == []
        house.give("erase_customer", customer_id=person, legal_basis="objection")
        [dead] = [each for each in house.ask("GET", webhook, "/dead")["dead"] if each["position"] == dead["position"]]
        assert dead["excerpt"] is None
        receiver.answering = lambda _: Reply()
        house.ask("POST", webhook, "/redeliver", json={})
        eventually(lambda: receiver.positions.count(dead["position"]) == 4)
        again = next(each for each in reversed(receiver.got) if each.position == dead["position"])
        assert again.json["data"]["data"]["person_name"] is None


def test_what_failed_while_a_receiver_was_down_is_sent_as_soon_as_it_takes_something_again(settings: Settings) -> None:
    slow = settings.model_copy(update={"webhook_retry_seconds": 3600.0, "webhook_attempts": 4})
    ahead = 0.0
    with open_daybook(slow) as daybook, TestClient(create_app(daybook)) as http, receiving(lambda _: Reply(503)) as receiver:
        daybook.webhooks.clock = lambda: time.time() + ahead
        with delivering(daybook) as deliverer:
            house = House(daybook, http)
            webhook = house.subscribe(receiver)
            house.register(3)
            eventually(lambda: house.standing(webhook)["attempts"] >= 1)
            receiver.answering = lambda _: Reply()
            ahead = 1200.0
            deliverer.nudge()
            house.register(1)
            eventually(lambda: house.standing(webhook)["delivered"] == 4)
            assert {1, 2, 3, 4} == set(receiver.positions)


def test_a_store_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "webhooks.db").write_text("something else entirely, and long enough to be no database" * 20)
    with pytest.raises(Exception, match="webhook store"):
        WebhookStore(tmp_path / "webhooks.db")


def test_attempts_that_are_kept_are_bounded(settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.webhooks.deliveries.ATTEMPTS_KEPT", 20)
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http, delivering(daybook):
        house = House(daybook, http)
        webhook = house.subscribe(receiver)
        house.register(50)
        eventually(lambda: house.standing(webhook)["delivered"] == 50)
        assert len(house.ask("GET", webhook, "/attempts", params={"limit": 1000})["attempts"]) == 20


def test_a_time_of_failure_passes_by_the_clock(settings: Settings) -> None:
    """With the schedule of days, and a clock that is told the time."""
    slow = settings.model_copy(update={"webhook_retry_seconds": 600.0, "webhook_attempts": 4})
    with (
        open_daybook(slow) as daybook,
        TestClient(create_app(daybook)) as http,
        receiving(lambda _: Reply(503)) as receiver,
    ):
        ahead = 0.0
        daybook.webhooks.clock = lambda: time.time() + ahead
        with delivering(daybook) as deliverer:
            house = House(daybook, http)
            webhook = house.subscribe(receiver)
            house.register()
            for attempt, step in enumerate((600, 2400, 9600), 1):
                eventually(lambda attempt=attempt: house.standing(webhook)["attempts"] == attempt)
                [waits] = house.ask("GET", webhook, "/attempts")["waiting"]
                assert waits["attempts"] == attempt
                ahead += step - 60
                deliverer.nudge()
                time.sleep(0.1)
                assert len(receiver.got) == attempt
                ahead += step * 0.2 + 120
                house.ask("POST", webhook, "/rotate", json={})
                house.register()  # something that wakes whoever waits
                eventually(lambda attempt=attempt: receiver.positions.count(1) == attempt + 1)
            eventually(lambda: house.standing(webhook)["dead"] >= 1)
