"""PostgreSQL has committed, and its reply is lost: the caller asks again under the same id, and there is one effect."""

import time
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, talking
from tests.faults.database import database
from tests.faults.proxy import proxied
from tests.faults.server import Server
from tests.held import Held


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_commit_whose_reply_is_lost_has_one_effect(
    data_folder: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    cuts = 500 if soak else 15
    with database() as postgres, proxied(postgres.port) as proxy:
        direct = dict.fromkeys(("log_url", "keys_url", "lookups_url"), postgres.url)
        server = Server(data_folder, urls=direct | {"log_url": postgres.url.replace(str(postgres.port), str(proxy.port))})
        crowd = Crowd(server.port, 8, seed=41)
        server.started()
        try:
            with talking(crowd) as ledger:
                for number in range(1, cuts + 1):
                    enough = len(ledger.accepted) + 5
                    deadline = time.monotonic() + 30
                    while len(ledger.accepted) < enough:
                        assert time.monotonic() < deadline, f"no command was acknowledged any more: {ledger.unavailable}"
                        time.sleep(0.005)
                    proxy.cut_next()
                    deadline = time.monotonic() + 30
                    while proxy.cuts < number:
                        assert time.monotonic() < deadline, "nothing was committed any more"
                        time.sleep(0.01)
            readmodels.caught_up(server)
            assert not history.asked_again(server, ledger)
            assert server.stop() == 0
        finally:
            server.kill()
        findings = history.examine(data_folder, ledger, urls=direct)
        apart = readmodels.differences(data_folder, urls=direct)
    assert not str(findings)
    assert not apart
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    assert set(ledger.unavailable) == {"log.unavailable"}
    held(
        f"{cuts} commits whose reply was lost: {ledger.unavailable.total()} requests answered 503 and asked again; "
        f"{len(ledger.accepted):,} commands acknowledged, {findings.events:,} events; "
        f"lost {len(findings.lost)}, applied twice {len(findings.twice)}"
    )


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_connection_that_falls_silent_makes_nothing_be_acknowledged_falsely(
    data_folder: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    silences = 20 if soak else 2
    with database() as postgres, proxied(postgres.port) as proxy:
        direct = dict.fromkeys(("log_url", "keys_url", "lookups_url"), postgres.url)
        server = Server(data_folder, urls=direct | {"log_url": postgres.url.replace(str(postgres.port), str(proxy.port))})
        crowd = Crowd(server.port, 8, seed=43)
        server.started()
        try:
            with talking(crowd) as ledger:
                for _ in range(silences):
                    time.sleep(0.5)
                    proxy.silence()
                    time.sleep(0.2)
                    told = len(ledger.accepted)
                    time.sleep(1.0)
                    assert len(ledger.accepted) == told
                    proxy.resume()
                    deadline = time.monotonic() + 30
                    while len(ledger.accepted) < told + 20:
                        assert time.monotonic() < deadline, "no command was acknowledged any more"
                        time.sleep(0.02)
            readmodels.caught_up(server)
            assert not history.asked_again(server, ledger)
            assert server.stop() == 0
        finally:
            server.kill()
        findings = history.examine(data_folder, ledger, urls=direct)
    assert not str(findings)
    assert not ledger.faults
    assert not ledger.contradictions
    held(
        f"{silences} silences of the connection to PostgreSQL: nothing acknowledged meanwhile; "
        f"{len(ledger.accepted):,} acknowledged in all, lost {len(findings.lost)}, applied twice {len(findings.twice)}"
    )
