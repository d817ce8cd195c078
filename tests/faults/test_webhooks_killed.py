"""kill -9 of the server between clients and receivers: every event is delivered at least once, none is missing, whatever the receivers did."""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from api.settings import load_settings
from api.wiring import open_books
from tests.api.webhooks.receiver import Received, Receiver, Reply, eventually, receiving
from tests.faults import history
from tests.faults.clients import Crowd, talking
from tests.faults.server import Server

WRITERS = 6
SETTINGS = {"webhook_private": "true", "webhook_retry_seconds": "0.05", "webhook_timeout_seconds": "2"}
JSON = {"Content-Type": "application/json"}


class Moody:
    """Takes an event, but only mostly at first; notes what it took."""

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._random = random.Random(seed)
        self.taken: list[int] = []

    def __call__(self, message: Received) -> Reply:
        drawn = self._random.random()
        if drawn < self._share:
            return Reply(self._random.choice((500, 503, 429, 404)), after=self._random.uniform(0, 0.05))
        self.taken.append(message.position)
        return Reply()


def subscribe(server: Server, receiver: Receiver, **more: Any) -> str:
    status, body = server.ask("POST", "/v1/webhooks", json.dumps({"url": receiver.url, **more}).encode(), JSON)
    assert status == 201, body
    return str(json.loads(body)["id"])


def through(server: Server, key: str, head: int) -> bool:
    told = server.get(f"/v1/webhooks/{key}")
    return told["position"] >= head and told["waiting"] == told["in_flight"] == 0


@pytest.mark.alone
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["files", "postgres"])
def test_every_event_is_delivered_however_often_the_server_is_killed(
    data_folder: Path,
    where: str,
    soak: bool,  # noqa: FBT001
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("log_url", "keys_url", "lookups_url") if where == "postgres" else ()
    urls: dict[str, str] = {name: request.getfixturevalue("postgres_url") for name in names}
    kills = 30 if soak else 3
    moments = random.Random(5)
    server = Server(data_folder, urls={**SETTINGS, **urls}).started()
    crowd = Crowd(server.port, WRITERS, seed=5)
    moody, orderly = Moody(0.2, 1), Moody(0.05, 2)
    with receiving(moody) as all_of, receiving(orderly) as renamed:
        try:
            keys = [subscribe(server, all_of), subscribe(server, renamed, type=["customer.*"], ordered=True)]
            subscribe(server, Receiver("http://127.0.0.1:9/nobody"))
            with talking(crowd):
                for _ in range(kills):
                    time.sleep(moments.uniform(0.3, 1.5))
                    server.kill()
                    server.started()
                time.sleep(0.3)
            head = server.get("/health")["head"]
            for key in keys:
                # Where a process was killed, its lease has to end by itself before another delivers from PostgreSQL.
                eventually(lambda key=key: through(server, key, head), 180, lambda key=key: str(server.get(f"/v1/webhooks/{key}")))
            told = [server.get(f"/v1/webhooks/{key}") for key in keys]
            assert server.stop() == 0
        finally:
            server.kill()
    with open_books(load_settings({}, data=data_folder, **urls)) as books:
        events = [(event.position, event.type) for event in history.events_of(books)]
    wanted = ([position for position, _ in events], [position for position, kind in events if kind.startswith("customer.")])
    for standing, positions, receiver, mood in zip(told, wanted, (all_of, renamed), (moody, orderly), strict=True):
        assert sorted(set(mood.taken)) == positions
        assert standing["dead"] == 0
        assert len(positions) <= standing["delivered"] <= len(mood.taken)
        assert standing["delivered"] <= standing["attempts"] <= len(receiver.got)
    # In order: an event is taken for the first time only after all before it were.
    assert list(dict.fromkeys(orderly.taken)) == wanted[1]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{kills} kills ({where}): {len(events):,} events, each delivered, {len(moody.taken) - len(events):,} more than once; "
            f"{len(all_of.got):,} requests of which {len(all_of.got) - len(moody.taken):,} were refused\n"
        )
