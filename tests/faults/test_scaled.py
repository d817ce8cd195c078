"""Several processes over one PostgreSQL and one Kafka: servers with data folders of their own, and workers that are killed."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bus.kafka.cluster import Cluster
from bus.keystore import open_vault
from bus.log import open_log
from bus.vault import master_key_of
from tests.faults.commands import Forked, start
from tests.faults.server import Server
from tests.kafka_broker.broker import Broker
from tests.projections.shipping import Shipper

MASTER = "5a" * 32


@dataclass
class Scaled:
    """What several processes share."""

    folder: Path
    settings: Mapping[str, str]
    cluster: Cluster
    closing: ExitStack

    def server(self, name: str) -> Server:
        data = self.folder / name
        server = Server(data, urls=self.settings)
        self.closing.callback(server.kill)
        return server.started()

    def worker(self, name: str) -> Forked:
        worker = start(self.folder / name, "work", output=self.folder / f"{name}.txt", settings=self.settings)
        self.closing.callback(worker.kill)
        return worker

    def said(self, name: str) -> list[dict[str, Any]]:
        output = self.folder / f"{name}.txt"
        return [json.loads(line) for line in output.read_text().splitlines() if '"partitions"' in line] if output.exists() else []


@contextmanager
def publishing(scaled: Scaled, shipper: Shipper) -> Iterator[None]:
    """Ships the log as it grows."""
    url = scaled.settings["log_url"]
    ended = threading.Event()

    def ship() -> None:
        vault = open_vault(url, master_key_of(MASTER))
        log = open_log(url, vault)
        after = 0
        while not ended.is_set():
            if log.wait(after, 0.1) and (events := log.read(after, 500)):
                shipper.ship(events)
                after = events[-1].position
        log.close()
        vault.close()

    thread = threading.Thread(target=ship)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def scaled(tmp_path: Path, postgres_url: str, kafka_server: Broker, topics_prefix: str) -> Iterator[Scaled]:
    settings = {
        "log_url": postgres_url,
        "lookups_url": postgres_url,
        "keys_url": postgres_url,
        "master_key": MASTER,
        "kafka": kafka_server.address,
        "topics_prefix": topics_prefix,
    }
    cluster = Cluster(kafka_server.address, topics_prefix)
    shipper = Shipper(cluster, 4)
    with ExitStack() as closing:
        made = Scaled(tmp_path, settings, cluster, closing)
        closing.callback(shipper.close)
        closing.enter_context(publishing(made, shipper))
        yield made


def register(server: Server, name: str) -> tuple[str, int]:
    body = json.dumps({"name": name}).encode()
    status, answer = server.ask(
        "POST", "/v1/commands/register_customer", body, {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    )
    assert status in (200, 201), answer
    told = json.loads(answer)
    return told["stream_id"], told["position"]


def until(reached: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def test_what_one_server_was_told_is_read_from_another_whoever_folds_it(scaled: Scaled) -> None:
    one, other = scaled.server("one"), scaled.server("other")
    first = scaled.worker("first")
    until(lambda: any(len(told["partitions"]) == 4 for told in scaled.said("first")))
    for number in range(5):
        customer, position = register(one if number % 2 else other, f"Company {number}")
        read = (other if number % 2 else one).get(f"/v1/customers/{customer}?at_least={position}")
        assert read["name"] == f"Company {number}"

    second = scaled.worker("second")
    until(lambda: any(told["partitions"] for told in scaled.said("second")))
    written = [register(one, f"Later {number}") for number in range(20)]
    first.kill()
    written += [register(other, f"Meanwhile {number}") for number in range(20)]
    for customer, _ in written:
        assert one.get(f"/v1/customers/{customer}?at_least={written[-1][1]}")["customer_id"] == customer

    folds = other.get("/v1/folds")["folds"]
    assert {fold["position"] for fold in folds if fold["home"] == "lookups"} == {written[-1][1]}
    told = one.ask("GET", "/metrics")[1].decode()
    for partition in range(4):
        assert f'daybook_fold_partition_lag_events{{fold="customer_360",partition="{partition}"}} 0.0' in told
    status, verified = one.ask("POST", "/v1/verify", b"{}", {"Content-Type": "application/json"})
    assert (status, json.loads(verified)["equal"]) == (200, True)
    assert {checked["home"] for checked in json.loads(verified)["checked"]} == {"lookups", "facts"}
    second.terminate()
    assert second.wait(30) == 0
    assert one.get("/health")["status"] == "ok"


def test_read_models_are_rebuilt_and_rolled_back_while_workers_fold(scaled: Scaled) -> None:
    server = scaled.server("one")
    scaled.worker("first")
    scaled.worker("second")
    written = [register(server, f"Company {number}") for number in range(30)]
    assert server.get(f"/v1/customers/{written[0][0]}?at_least={written[-1][1]}")
    writing = threading.Thread(target=lambda: written.extend(register(server, f"More {number}") for number in range(60)))
    writing.start()
    json_body = {"Content-Type": "application/json"}
    status, answer = server.ask("POST", "/v1/rebuild", b"{}", json_body)
    writing.join()
    assert status == 200, answer
    checked = json.loads(answer)["checked"]
    assert {each["rows_apart"] for each in checked} == {0}
    assert "lookups" in {each["home"] for each in checked}
    assert server.get(f"/v1/customers/{written[-1][0]}?at_least={written[-1][1]}")
    status, answer = server.ask("POST", "/v1/rollback", b'{"fold": "customer_360"}', json_body)
    assert status == 200, answer
    customer, position = register(server, "Last")
    time.sleep(1.1)  # as long as a server trusts what it saw before the roll-back
    assert server.get(f"/v1/customers/{customer}?at_least={position}")["name"] == "Last"
    status, verified = server.ask("POST", "/v1/verify", b'{"folds": ["customer_360"]}', json_body)
    assert (status, json.loads(verified)["equal"]) == (200, True)
