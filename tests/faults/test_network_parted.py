"""The network between a server and PostgreSQL loses everything in silence: waiting is bounded, nothing false is acknowledged, and all goes on later."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, talking
from tests.faults.database import database
from tests.faults.namespace import Network, NoNamespace, network
from tests.faults.server import Server
from tests.held import Held

BOUND = 45.0
"""Seconds within which whoever asks is answered, also when the other side has vanished."""


@pytest.fixture
def parted() -> Iterator[Network]:
    """A network that can be parted."""
    try:
        with network() as made:
            yield made
    except NoNamespace as why:
        pytest.skip(f"no network namespace ({why}); test_reply_lost holds back what a proxy carries instead")


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_when_postgresql_cannot_be_reached_callers_are_told_in_time_and_later_all_goes_on(
    data_folder: Path,
    parted: Network,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    rounds, longest = (8 if soak else 1), 0.0
    with database(host=parted.inside, prefix=parted.enter) as postgres:
        urls = dict.fromkeys(("log_url", "keys_url", "lookups_url"), postgres.url)
        server = Server(data_folder, urls=urls)
        crowd = Crowd(server.port, 8, seed=47)
        server.started()
        try:
            with talking(crowd, patience=300) as ledger:
                for number in range(rounds):
                    _wait_for_receipts(server, len(ledger.accepted) + 50, ledger.accepted)
                    parted.part()
                    time.sleep(0.5)
                    told = len(ledger.accepted)
                    longest = max(longest, _refused(server, number))
                    assert len(ledger.accepted) == told, "something was acknowledged that PostgreSQL cannot have confirmed"
                    parted.join()
                    _wait_for_receipts(server, told + 20, ledger.accepted)
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
    held(
        f"{rounds} partitions between server and PostgreSQL (network namespace): a command was refused after {longest:.1f} s at most; "
        f"{len(ledger.accepted):,} commands acknowledged, {findings.events:,} events; "
        f"lost {len(findings.lost)}, applied twice {len(findings.twice)}; {len(apart)} read models unlike a rebuild"
    )


def _refused(server: Server, number: int) -> float:
    """Seconds until a command is answered with 503, of no more than the bound."""
    began = time.monotonic()
    body, headers = b'{"name": "Nobody yet"}', {"Content-Type": "application/json", "Idempotency-Key": f"parted-{number}"}
    try:
        status, answer = server.ask("POST", "/v1/commands/register_customer", body, headers, timeout=BOUND)
    except (TimeoutError, http.client.HTTPException) as error:
        raise AssertionError(f"no answer within {BOUND:.0f} s") from error
    assert (status, json.loads(answer)["status"]) == (503, 503), answer
    return time.monotonic() - began


def _wait_for_receipts(server: Server, enough: int, accepted: object) -> None:
    deadline = time.monotonic() + 90
    while len(accepted) < enough:  # type: ignore[arg-type]
        assert time.monotonic() < deadline, f"no command was acknowledged any more: {server.said.read_text()[-2000:]}"
        time.sleep(0.05)
