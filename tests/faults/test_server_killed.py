"""kill -9 of the server under 32 clients: nothing acknowledged is lost, nothing is applied twice, the read models catch up by themselves."""

import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, talking
from tests.faults.server import Server
from tests.held import Held

CLIENTS = 32


def kill_again_and_again(server: Server, kills: int, moments: random.Random) -> None:
    """Kill and restart the server at random moments, one time in five before it is ready; at the end it runs and is ready."""
    for _ in range(kills):
        if moments.random() < 0.2:
            time.sleep(moments.uniform(0.0, 1.0))
        else:
            server.wait_ready()
            time.sleep(moments.uniform(0.0, 1.0))
        server.kill()
        server.start()
    server.wait_ready()


def survive(data: Path, kills: int, *, seed: int, urls: Mapping[str, str] = history.NO_URLS) -> str:
    """Kill a server so many times under all clients, and hold everything against what they were told; the totals in words."""
    server = Server(data, urls=urls)
    crowd = Crowd(server.port, CLIENTS, seed=seed)
    server.start()
    try:
        with talking(crowd) as ledger:
            kill_again_and_again(server, kills, random.Random(seed))
            time.sleep(0.5)
        seconds = readmodels.caught_up(server)
        assert not history.asked_again(server, ledger)
        readmodels.caught_up(server)
        assert server.stop() == 0
    finally:
        server.kill()
    findings = history.examine(data, ledger, urls=urls)
    apart = readmodels.differences(data, urls=urls)
    assert not str(findings)
    assert not apart
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    assert not server.complaints()
    return (
        f"{kills} kills under {CLIENTS} clients: {ledger.requests:,} requests of which {ledger.broken:,} broke; "
        f"{len(ledger.accepted):,} commands acknowledged, {len(ledger.refused):,} refused, {findings.events:,} events; "
        f"lost {len(findings.lost)}, applied twice {len(findings.twice)}; "
        f"read models at the head {seconds:.2f} s after the last answer, {len(apart)} unlike a rebuild"
    )


@pytest.mark.alone
@pytest.mark.timeout(7200)
def test_no_acknowledged_command_is_lost_or_applied_twice_when_the_server_is_killed(
    data_folder: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    totals = survive(data_folder, 100 if soak else 5, seed=1)
    assert not readmodels.unhealthy(data_folder)
    held(totals)


@pytest.mark.alone
@pytest.mark.timeout(7200)
def test_nor_is_any_where_the_log_the_keys_and_the_lookups_lie_in_postgresql(
    data_folder: Path,
    postgres_url: str,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    totals = survive(data_folder, 30 if soak else 1, seed=2, urls=dict.fromkeys(("log_url", "keys_url", "lookups_url"), postgres_url))
    held(totals)


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_first_start_that_is_killed_can_be_begun_again(tmp_path: Path, soak: bool) -> None:  # noqa: FBT001
    moments = random.Random(12)
    for round_ in range(40 if soak else 1):
        server = Server(tmp_path / str(round_))
        try:
            server.start()
            time.sleep(moments.uniform(0.0, 1.0))
            server.kill()
            server.started()
            body = b'{"name": "Somebody", "kind": "person"}'
            assert server.ask("POST", "/v1/commands/register_customer", body, {"Content-Type": "application/json"})[0] == 200
            readmodels.caught_up(server)
            assert server.stop() == 0
        finally:
            server.kill()
        assert not server.complaints()
