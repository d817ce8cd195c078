"""Events reach who subscribed to them, signed, at least once, whatever receivers do; and no receiver delays another."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from tests.api.webhooks.conftest import House
from tests.api.webhooks.receiver import Received, Receiver, Reply, eventually, receiving


def settled(house: House, webhook: dict[str, Any], within: float = 20.0) -> dict[str, Any]:
    """How a webhook stands once nothing is left to send."""

    def done() -> bool:
        told = house.standing(webhook)
        return told["lag"] == told["waiting"] == told["in_flight"] == 0

    eventually(done, within, lambda: str(house.standing(webhook)))
    return house.standing(webhook)


def answering(*statuses: int, then: int = 204) -> Callable[[Received], Reply]:
    """One status after the other for each event, then always the same."""
    seen: dict[str, int] = {}

    def answer(message: Received) -> Reply:
        count = seen[message.id] = seen.get(message.id, 0) + 1
        return Reply(statuses[count - 1] if count <= len(statuses) else then)

    return answer


def test_an_event_arrives_as_the_feed_tells_it_and_signed(house: House, receiver: Receiver) -> None:
    webhook = house.subscribe(receiver, description="for the warehouse")
    house.give("register_customer", kind="person", name="Ada", email="ada@example.com")
    first, second = receiver.until(2)[:2]
    events = house.http.get("/v1/events").json()["events"]
    got = {each.position: each.verified(webhook["secret"]) for each in (first, second)}
    assert [got[position]["data"] for position in sorted(got)] == events
    assert [got[position]["type"] for position in sorted(got)] == [event["type"] for event in events]
    assert got[1]["timestamp"] == events[0]["occurred_at"]
    assert got[1]["data"]["data"]["person_name"] == "Ada"
    assert {first.id, second.id} == {event["id"] for event in events}
    with pytest.raises(WebhookVerificationError):
        first.verified("whsec_" + "AA" * 16)


def test_only_what_is_wanted_is_sent(house: House) -> None:
    with receiving() as deals, receiving() as one, receiving() as mixed, receiving() as nothing:
        house.subscribe(deals, type=["opportunity.*"])
        stages = [{"name": "Lead"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
        pipeline = house.give("define_pipeline", name="Sales", stages=stages)["stream_id"]
        house.register(2)
        house.subscribe(one, customer=house.customers[1], after=0)
        house.subscribe(mixed, type=["customer.registered", "opportunity.won"], record=["opportunity"])
        house.subscribe(nothing, actor="user:nobody", after=0)
        for customer in house.customers:
            deal = house.give("open_opportunity", customer_id=customer, pipeline_id=pipeline, name="Deal", amount="9.00", owner_id="ana")
            house.give("win_opportunity", opportunity_id=deal["stream_id"])
        for each in house.http.get("/v1/webhooks").json()["webhooks"]:
            settled(house, each)
        kinds = {each.position: each.json["type"] for each in deals.got}
        assert set(kinds.values()) == {"opportunity.opened", "opportunity.stage_changed", "opportunity.won"} or set(kinds.values()) == {
            "opportunity.opened",
            "opportunity.won",
        }
        feed = house.http.get("/v1/events", params={"customer": house.customers[1]}).json()["events"]
        assert sorted(one.positions) == [event["position"] for event in feed]
        assert {each.json["type"] for each in mixed.got} == {"opportunity.won"}
        assert nothing.got == []


def test_what_fails_is_sent_again_until_it_is_taken(house: House) -> None:
    with receiving(answering(500, 302)) as receiver:
        webhook = house.subscribe(receiver)
        [position] = house.register()
        receiver.until(3)
        told = settled(house, webhook)
        assert receiver.positions == [position] * 3
        assert len({each.id for each in receiver.got}) == 1
        assert (told["delivered"], told["attempts"], told["failures"], told["dead"]) == (1, 3, 0, 0)
        attempts = house.ask("GET", webhook, "/attempts")["attempts"]
        assert [(each["attempt"], each["status"], each["reason"]) for each in attempts] == [
            (3, 204, "delivered"),
            (2, 302, "status"),
            (1, 500, "status"),
        ]


def test_what_is_never_taken_is_given_up_told_why_and_sent_again_when_asked(house: House) -> None:
    with receiving(lambda _: Reply(400, body=b"no\x1b[31m such \xff field")) as receiver:
        webhook = house.subscribe(receiver)
        positions = house.register(3)
        eventually(lambda: house.standing(webhook)["dead"] == 3)
        dead = house.ask("GET", webhook, "/dead")["dead"]
        assert [each["position"] for each in dead] == positions
        assert {(each["reason"], each["status"], each["attempts"], each["excerpt"]) for each in dead} == {
            ("status", 400, 4, "no [31m such � field")
        }
        receiver.answering = lambda _: Reply()
        assert house.ask("POST", webhook, "/redeliver", json={"positions": positions[:1]}) == {"redelivered": 1}
        eventually(lambda: house.standing(webhook)["delivered"] == 1)
        assert house.ask("POST", webhook, "/redeliver", json={}) == {"redelivered": 2}
        eventually(lambda: house.standing(webhook)["delivered"] == 3)
        assert house.ask("GET", webhook, "/dead")["dead"] == []
        refused = house.http.post(f"/v1/webhooks/{webhook['id']}/redeliver", json={"positions": positions})
        assert (refused.status_code, refused.json()["code"]) == (404, "webhook.not_dead")


def test_who_is_gone_is_sent_nothing_more_until_it_is_resumed(house: House) -> None:
    with receiving(lambda _: Reply(410)) as receiver:
        webhook = house.subscribe(receiver)
        house.register()
        eventually(lambda: house.standing(webhook)["state"] == "off")
        assert house.standing(webhook)["why"] == "its receiver answered 410 Gone"
        house.register(3)
        time.sleep(0.3)
        assert len(receiver.got) == 1
        receiver.answering = lambda _: Reply()
        assert house.ask("POST", webhook, "/resume")["state"] == "active"
        settled(house, webhook)
        assert sorted(set(receiver.positions)) == [1, 2, 3, 4]


def test_a_paused_webhook_is_sent_everything_later(house: House, receiver: Receiver) -> None:
    webhook = house.subscribe(receiver)
    house.register()
    settled(house, webhook)
    assert house.ask("POST", webhook, "/pause")["state"] == "paused"
    house.register(4)
    time.sleep(0.3)
    assert len(receiver.got) == 1
    assert house.standing(webhook)["lag"] == 4
    house.ask("POST", webhook, "/resume")
    settled(house, webhook)
    assert sorted(receiver.positions) == [1, 2, 3, 4, 5]


def test_history_is_replayed_from_a_position(house: House, receiver: Receiver) -> None:
    house.register(20)
    webhook = house.subscribe(receiver)
    house.register()
    settled(house, webhook)
    assert receiver.positions == [21]
    house.ask("POST", webhook, "/replay", json={"after": 15})
    receiver.until(7)
    settled(house, webhook)
    assert sorted(receiver.positions[1:]) == [16, 17, 18, 19, 20, 21]
    refused = house.http.post(f"/v1/webhooks/{webhook['id']}/replay", json={"after": 22})
    assert (refused.status_code, refused.json()["code"]) == (409, "position.unwritten")


def test_a_new_secret_signs_beside_the_one_before_for_a_while(house: House, receiver: Receiver) -> None:
    webhook = house.subscribe(receiver)
    rotated = house.ask("POST", webhook, "/rotate", json={"overlap_hours": 24})
    assert rotated["secret"] != webhook["secret"]
    assert [(each["number"], each["expires_at"] is None) for each in rotated["secrets"]] == [(2, True), (1, False)]
    assert "secret" not in house.standing(webhook)

    def signed_by_both() -> bool:
        house.register()
        return len(receiver.until(len(house.customers))[-1].headers["webhook-signature"].split()) == 2

    eventually(signed_by_both)
    for secret in (webhook["secret"], rotated["secret"]):
        receiver.got[-1].verified(secret)
    last = house.ask("POST", webhook, "/rotate", json={"overlap_hours": 0})

    def signed_by_one() -> bool:
        house.register()
        return len(receiver.until(len(house.customers))[-1].headers["webhook-signature"].split()) == 1

    eventually(signed_by_one)
    receiver.got[-1].verified(last["secret"])
    with pytest.raises(WebhookVerificationError):
        receiver.got[-1].verified(rotated["secret"])


def test_a_test_message_tells_at_once_what_comes_of_it(house: House) -> None:
    with receiving(lambda _: Reply(401, body=b"who are you?")) as receiver:
        webhook = house.subscribe(receiver)
        told = house.ask("POST", webhook, "/ping")
        assert (told["delivered"], told["reason"], told["status"], told["excerpt"]) == (False, "status", 401, "who are you?")
        assert receiver.got[0].verified(webhook["secret"])["type"] == "ping"
        assert receiver.got[0].id == told["id"]


def test_slow_and_dead_receivers_delay_nobody(house: House, receiver: Receiver) -> None:
    with receiving(lambda _: Reply(after=60.0)) as slow:
        late = [house.subscribe(slow), house.subscribe(slow, ordered=True), house.subscribe("http://127.0.0.1:9/nobody")]
        webhook = house.subscribe(receiver)
        for _ in range(10):
            began = time.monotonic()
            house.register(5)
            assert time.monotonic() - began < 1.5
        began = time.monotonic()
        settled(house, webhook)
        assert time.monotonic() - began < 3.0
        assert sorted(receiver.positions) == list(range(1, 51))
        assert house.http.get("/v1/events", params={"limit": 1}).status_code == 200
        eventually(lambda: house.standing(late[2])["last_reason"] == "unreachable")
        eventually(lambda: house.standing(late[0])["last_reason"] == "timeout")
        assert all(house.standing(each)["in_flight"] <= 8 for each in late)


def test_who_wants_events_in_order_gets_them_so_though_some_fail(house: House) -> None:
    with receiving(answering(503, 503)) as receiver:
        webhook = house.subscribe(receiver, ordered=True)
        house.register(6)
        settled(house, webhook)
        assert receiver.positions == [position for position in range(1, 7) for _ in range(3)]
        assert receiver.most_at_once == 1


def test_a_receiver_that_asks_to_wait_is_waited_for(house: House) -> None:
    seen: list[float] = []

    def busy(_: Received) -> Reply:
        seen.append(time.monotonic())
        return Reply(429, {"Retry-After": "2"}) if len(seen) == 1 else Reply()

    with receiving(busy) as receiver:
        webhook = house.subscribe(receiver)
        house.register(1)
        receiver.until(1)
        house.register(3)
        settled(house, webhook)
        assert seen[1] - seen[0] >= 2.0
        assert sorted(set(receiver.positions)) == [1, 2, 3, 4]


def test_a_removed_webhook_is_sent_nothing_more(house: House, receiver: Receiver) -> None:
    webhook = house.subscribe(receiver)
    house.register()
    settled(house, webhook)
    house.ask("DELETE", webhook)
    house.register(3)
    time.sleep(0.3)
    assert len(receiver.got) == 1
    assert house.http.get("/v1/webhooks").json()["webhooks"] == []
    assert house.http.get(f"/v1/webhooks/{webhook['id']}").json()["code"] == "webhook.unknown"


def test_events_that_wait_are_bounded_and_the_position_waits_with_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.worker.MOST_WAITING", 10)
    with receiving(lambda _: Reply(500)) as receiver:
        webhook = house.subscribe(receiver)
        house.register(60)
        for _ in range(20):
            told = house.standing(webhook)
            assert told["waiting"] <= 10
            time.sleep(0.02)
        receiver.answering = lambda _: Reply()
        told = settled(house, webhook, 60)
        assert told["delivered"] + told["dead"] == 60
