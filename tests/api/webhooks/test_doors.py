"""Webhooks on the command line, in the metrics, in backups, and in the documentation."""

import json
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api.app import create_app
from api.cli.main import main
from api.settings import load_settings
from api.webhooks.deliverer import delivering
from api.wiring import open_daybook
from bus.copying import Tools
from replay.backup.making import Place, back_up
from replay.backup.restoring import Destination, Sources, restore
from tests.api.webhooks.conftest import House
from tests.api.webhooks.receiver import Receiver, Reply, eventually, receiving
from tests.replay.backup.test_backup import postgres_tools, silent

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def daybook(data_folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DAYBOOK_WEBHOOK_PRIVATE", "true")

    def run(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        code = 0
        try:
            main(["--data", str(data_folder), "webhooks", *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capfd.readouterr()
        return code, said.out or said.err

    return run


def test_the_command_line_does_all_of_it(daybook: Run, receiver: Receiver) -> None:
    def json_of(*arguments: str) -> Any:
        code, said = daybook(*arguments, "--json")
        assert code == 0, said
        return json.loads(said)

    made = json_of("add", receiver.url, "--type", "opportunity.*", "--type", "customer.registered", "--ordered", "--description", "try")
    key = made["id"]
    assert made["secret"].startswith("whsec_")
    assert made["wanted"]["type"] == ["opportunity.*", "customer.registered"]
    assert [each["id"] for each in json_of("list")["webhooks"]] == [key]
    assert json_of("ping", key)["delivered"]
    receiver.got[0].verified(made["secret"])
    rotated = json_of("rotate", key, "--overlap-hours", "1")
    json_of("ping", key)
    for secret in (made["secret"], rotated["secret"]):
        receiver.got[1].verified(secret)
    assert json_of("pause", key)["state"] == "paused"
    assert json_of("resume", key)["state"] == "active"
    assert json_of("replay", key, "--after", "0")["position"] == 0
    assert json_of("dead", key)["dead"] == []
    assert json_of("redeliver", key) == {"redelivered": 0}
    assert json_of("show", key)["attempts"] == []
    for what in (("list",), ("show", key), ("dead", key)):
        code, said = daybook(*what)
        assert code == 0
        assert said
    assert json_of("remove", key)["removed"]
    code, said = daybook("show", key)
    assert (code, "webhook.unknown" in said) == (1, True)
    assert daybook("add", "https://example.com/", "--type", "car.*")[0] == 1


def test_the_metrics_say_how_webhooks_stand(house: House) -> None:
    with receiving(lambda _: Reply(500)) as receiver:
        webhook = house.subscribe(receiver)
        house.register(2)
        eventually(lambda: house.standing(webhook)["dead"] == 2)
        house.ask("POST", house.subscribe(receiver), "/pause")
        families = text_string_to_metric_families(house.http.get("/metrics").text)
        told = {
            (each.name, each.labels.get("state")): each.value for family in families for each in family.samples if "webhook" in each.name
        }
        assert told["daybook_webhooks", "active"] == told["daybook_webhooks", "paused"] == told["daybook_webhooks_failing", None] == 1
        assert (told["daybook_webhook_dead", None], told["daybook_webhook_lag_positions", None]) == (2, 0)


def test_what_is_put_back_from_a_backup_is_paused_and_goes_on_when_resumed(
    request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver, places: dict[str, str]
) -> None:
    settings = load_settings({}, data=tmp_path / "data", webhook_private=True, **places)
    tools = postgres_tools() if places else Tools()
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http, delivering(daybook):
        house = House(daybook, http)
        webhook = house.subscribe(receiver)
        house.register(3)
        receiver.until(3)
        eventually(lambda: house.standing(webhook)["position"] == 3)
        log = places.get("log_url", str(tmp_path / "data" / "log.db"))
        keys = places.get("keys_url", str(tmp_path / "data" / "keys.db"))
        back_up(Place(folder=settings.data, log=log, keys=keys, tools=tools), tmp_path / "log", tmp_path / "keys", silent)
    elsewhere = dict.fromkeys(places, request.getfixturevalue("another_postgres_url")) if places else {}
    to = Destination(folder=tmp_path / "restored", log_url=elsewhere.get("log_url"), keys_url=elsewhere.get("keys_url"), tools=tools)
    master = (tmp_path / "data" / "master.key").read_text()
    restore(Sources(log=tmp_path / "log", keys=tmp_path / "keys", master_key=master, keep_master_key=True), to, silent)
    shutil.rmtree(tmp_path / "log")
    again = load_settings({}, data=tmp_path / "restored", webhook_private=True, **elsewhere)
    with open_daybook(again) as daybook, TestClient(create_app(daybook)) as http, delivering(daybook):
        house = House(daybook, http)
        told = house.standing(webhook)
        assert (told["state"], told["why"], told["position"]) == ("paused", "put back from a backup", 3)
        house.register(1)
        house.ask("POST", webhook, "/resume")
        receiver.until(4)
        assert (sorted(receiver.positions), receiver.positions[-1]) == ([1, 2, 3, 4], 4)
        receiver.got[-1].verified(webhook["secret"])


def test_the_receiver_in_the_documentation_is_one(root: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code runs, takes what is signed, and refuses what is not."""
    [code] = re.findall(r"```python\n(.*?)```", (root / "docs" / "webhooks.md").read_text(encoding="utf-8"), re.DOTALL)
    declared, _, _ = code.rpartition("HTTPServer((")
    with receiving() as port:
        webhook = house.subscribe(port)
    monkeypatch.setenv("SECRET", webhook["secret"])
    space: dict[str, Any] = {}
    exec(declared, space)  # noqa: S102 - it is what the page says
    server = space["HTTPServer"](("127.0.0.1", 0), space["Receiver"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        assert house.ask("POST", house.subscribe(url), "/ping")["status"] == 400
        space["webhook"].__init__(house.subscribe(url)["secret"])
        last = house.http.get("/v1/webhooks").json()["webhooks"][-1]
        assert house.ask("POST", last, "/ping")["status"] == 204
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
