"""Who follows the feed misses nothing and sees nothing twice, whenever connections break or the server is killed; who reads slowly holds nobody up."""

import json
import random
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from api.settings import load_settings
from api.wiring import open_books
from tests.faults import history
from tests.faults.clients import Crowd, talking
from tests.faults.followers import Follower, following, until_all_are_at
from tests.faults.server import Server

WRITERS = 8
MEBIBYTE = 1 << 20


def followers_of(port: int, seed: int) -> list[Follower]:
    """Some that stay, some that come and go, one that reads slowly, some that want a part only."""
    kinds = [
        {},
        {"cut": 0.05},
        {"cut": 0.3},
        {"nap": 0.02},
        {"cut": 0.05, "wanted": [("record", "opportunity")]},
        {"cut": 0.2, "wanted": [("type", "customer.renamed"), ("changes", "false")]},
    ]
    return [Follower(port, random.Random(f"{seed}/{number}"), **kind) for number, kind in enumerate(kinds)]


def wanted_by(follower: Follower, events: list[tuple[int, str]]) -> list[int]:
    """The positions that a follower should have seen."""
    asked = dict(follower.wanted)
    return [
        position
        for position, kind in events
        if kind == asked.get("type", kind) and kind.partition(".")[0] == asked.get("record", kind.partition(".")[0])
    ]


@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_whoever_follows_misses_nothing_and_sees_nothing_twice(
    data_folder: Path,
    soak: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
) -> None:
    kills = 40 if soak else 4
    moments = random.Random(3)
    server = Server(data_folder).started()
    followers = followers_of(server.port, 3)
    crowd = Crowd(server.port, WRITERS, seed=3)
    try:
        with following(*followers):
            with talking(crowd):
                for _ in range(kills):
                    time.sleep(moments.uniform(0.3, 1.5))
                    server.kill()
                    server.started()
                time.sleep(0.5)
            head = server.get("/health")["head"]
            # A sign of life carries the position to those who want a part only; so does one more event for them.
            while any(follower.after < head for follower in followers):
                body = {"name": "The last", "customer_id": {"source": "soak", "id": f"last-{head}"}}
                for name, data in (("register_customer", body), ("rename_customer", {**body, "name": "The very last"})):
                    server.ask("POST", f"/v1/commands/{name}", json.dumps(data).encode(), {"Content-Type": "application/json"})
                until_all_are_at(head, [follower for follower in followers if dict(follower.wanted).get("record") is None])
                until_all_are_at(head, followers)
            assert server.stop() == 0
    finally:
        server.kill()
    with open_books(load_settings({}, data=data_folder)) as books:
        events = [(event.position, event.type) for event in history.events_of(books)]
    for follower in followers:
        assert not follower.problems
        last = follower.after
        assert [event["position"] for event in follower.seen] == [p for p in wanted_by(follower, events) if p <= last]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{kills} kills: {len(followers)} followers over {sum(f.connections for f in followers)} connections saw "
            f"{sum(len(f.seen) for f in followers):,} events of {len(events):,}, each once\n"
        )


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_client_that_takes_nothing_costs_no_memory_and_holds_nobody_up(data_folder: Path) -> None:
    server = Server(data_folder).started()
    lines = [
        json.dumps(
            {
                "command": "register_customer",
                "data": {"name": f"Firm {number}", "customer_id": {"source": "t", "id": str(number)}, "owner_id": "o" * 100},
            }
        )
        for number in range(20_000)
    ]
    try:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
        for each in idle:
            each.sendall(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        assert server.process is not None
        follower = Follower(server.port, random.Random(1))
        with following(follower):
            for start in range(0, len(lines), 5_000):
                part = "\n".join(lines[start : start + 5_000]).encode()
                assert server.ask("POST", "/v1/commands", part, {"Content-Type": "application/x-ndjson"})[0] == 200
            until_all_are_at(20_000, [follower])
            before = psutil.Process(server.process.pid).memory_info().rss
            began = time.monotonic()
            server.ask(
                "POST", "/v1/commands", "\n".join(lines[:2_000]).replace('"t"', '"u"').encode(), {"Content-Type": "application/x-ndjson"}
            )
            until_all_are_at(22_000, [follower])
            assert time.monotonic() - began < 20
            assert psutil.Process(server.process.pid).memory_info().rss - before < 100 * MEBIBYTE
        for each in idle:
            # Whoever reads after all gets all, from the first on.
            each.settimeout(10)
            assert each.recv(100).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        for each in idle:
            each.close()
        assert server.stop() == 0
        assert time.monotonic() - began < 15
    finally:
        server.kill()
    assert [event["position"] for event in follower.seen] == list(range(1, 22_001))
