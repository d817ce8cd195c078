"""kill -9 of PostgreSQL under load: callers are told, nothing acknowledged is lost, and the server recovers by itself."""

import random
import time
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, talking
from tests.faults.database import database
from tests.faults.server import Server
from tests.held import Held

CLIENTS = 16


@pytest.mark.alone
@pytest.mark.timeout(7200)
def test_no_acknowledged_command_is_lost_or_applied_twice_when_postgresql_is_killed(
    data_folder: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    kills = 40 if soak else 3
    moments = random.Random(31)
    with database() as postgres:
        urls = dict.fromkeys(("log_url", "keys_url", "lookups_url"), postgres.url)
        server = Server(data_folder, urls=urls)
        crowd = Crowd(server.port, CLIENTS, seed=31)
        server.started()
        try:
            with talking(crowd) as ledger:
                for _ in range(kills):
                    time.sleep(moments.uniform(0.2, 1.5))
                    postgres.kill()
                    time.sleep(moments.uniform(0.0, 1.0))
                    status, _ = server.ask("GET", "/health", timeout=30)
                    assert status == 503
                    before = len(ledger.accepted)
                    postgres.started()
                    deadline = time.monotonic() + 60
                    while len(ledger.accepted) < before + 20:
                        assert time.monotonic() < deadline, f"no command was acknowledged any more: {ledger.unavailable}"
                        time.sleep(0.02)
            readmodels.caught_up(server)
            assert not history.asked_again(server, ledger)
            readmodels.caught_up(server)
            assert server.stop() == 0
        finally:
            server.kill()
        findings = history.examine(data_folder, ledger, urls=urls)
        apart = readmodels.differences(data_folder, urls=urls)
    assert not str(findings)
    assert not apart
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    assert set(ledger.unavailable) <= {"log.unavailable", "keys.unavailable"}
    held(
        f"{kills} kills of PostgreSQL (fsync on) under {CLIENTS} clients: {ledger.requests:,} requests, "
        f"{ledger.unavailable.total():,} answered 503; {len(ledger.accepted):,} commands acknowledged, {findings.events:,} events; "
        f"lost {len(findings.lost)}, applied twice {len(findings.twice)}; {len(apart)} read models unlike a rebuild"
    )
