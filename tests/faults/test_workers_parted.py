"""The network between PostgreSQL and workers falls silent, for one of them or for all: others go on, waiting is bounded, a zombie changes nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.settings import load_settings
from api.wiring import open_books
from tests.faults import history, readmodels
from tests.faults.clients import Crowd, Ledger, talking
from tests.faults.database import database
from tests.faults.fleet import Fleet, fleet, until
from tests.faults.namespace import Network, NoNamespace, network
from tests.faults.proxy import proxied
from tests.faults.server import Server
from tests.faults.shared_lookups import Lookups, lookups
from tests.held import Held
from tests.kafka_broker.broker import Broker

PARTITIONS = 4
OTHERS_GO_ON_WITHIN = 90.0
"""Seconds until others have what a worker had that cannot write any more: it keeps its place in the group for half a minute."""
RECOVERED_WITHIN = 60.0
SHARING = b"pg_advisory_xact_lock_shared"
"""What a transaction begins with that writes rows beside others."""


@pytest.fixture
def parted() -> Iterator[Network]:
    """A network that can be parted."""
    try:
        with network() as made:
            yield made
    except NoNamespace as why:
        pytest.skip(f"no network namespace ({why}); the other test holds back what a proxy carries")


def has_partitions(there: Fleet, name: str, number: int | None = None) -> bool:
    said: list[dict[str, Any]] = there.said(name, "partitions")
    return bool(said and said[-1]["partitions"]) and number in (None, len(said[-1]["partitions"]))


def acknowledged(ledger: Ledger) -> int:
    return max((receipt.position for receipt in list(ledger.accepted.values())), default=0)


def folded(seen: Lookups, ledger: Ledger, there: Fleet, within: float) -> float:
    """Seconds until what is acknowledged now is folded."""
    began, told = time.monotonic(), acknowledged(ledger)
    until(lambda: seen.position() >= told, lambda: (seen.position(), told, [there.last_words(name) for name in there.running]), within)
    return time.monotonic() - began


def more(ledger: Ledger, number: int) -> None:
    wanted = len(ledger.accepted) + number
    until(lambda: len(ledger.accepted) >= wanted, lambda: f"{len(ledger.accepted)} of {wanted}; {ledger.unavailable}")


def assert_sound(there: Fleet, seen: Lookups, server: Server, ledger: Ledger) -> tuple[int, int]:
    """Everything is as the log says, and the log as the clients were told; how many events and rows."""
    readmodels.caught_up(server, within=OTHERS_GO_ON_WITHIN)
    assert not history.asked_again(server, ledger)
    readmodels.caught_up(server)
    assert server.stop() == 0
    findings = history.examine(server.data, ledger, urls=there.settings)
    with open_books(load_settings({}, data=server.data, **there.settings)) as books:
        assert not seen.misplaced(books.log.head(), PARTITIONS)
        rows, apart = seen.unlike_embedded(books.log)
    assert not str(findings)
    assert not apart
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    return findings.events, rows


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_worker_cut_off_in_the_middle_of_a_transaction_holds_nobody_up_and_changes_nothing_when_it_is_back(
    tmp_path: Path,
    kafka_server: Broker,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    rounds, slowest = (8 if soak else 1), 0.0
    with (
        database() as postgres,
        proxied(postgres.port) as proxy,
        fleet(tmp_path, postgres.url, kafka_server, partitions=PARTITIONS) as there,
        lookups(postgres.url) as seen,
    ):
        through = postgres.url.replace(str(postgres.port), str(proxy.port))
        there.worker("parted", log_url=through, lookups_url=through, keys_url=through)
        until(lambda: bool(seen.serving()), lambda: there.last_words("parted"))
        there.publisher()
        there.worker("other")
        server = there.server("server")
        try:
            server.started()
            with talking(Crowd(server.port, 4, seed=61)) as ledger:
                for _ in range(rounds):
                    until(lambda: all(has_partitions(there, name, 2) for name in ("parted", "other")), lambda: there.last_words("parted"))
                    more(ledger, 100)
                    proxy.silence_before_commit(SHARING)
                    until(lambda: proxy.silent, lambda: there.last_words("parted"))
                    more(ledger, 50)
                    slowest = max(slowest, folded(seen, ledger, there, OTHERS_GO_ON_WITHIN))
                    proxy.resume()
                    more(ledger, 50)
            events, rows = assert_sound(there, seen, server, ledger)
            assert not there.ended()
        finally:
            server.kill()
    held(
        f"{rounds} times one of two workers was cut off from PostgreSQL (proxy) under load: the other had folded what was acknowledged after "
        f"{slowest:.1f} s at most; {len(ledger.accepted):,} commands, {events:,} events, {rows:,} rows of lookups like an embedded rebuild"
    )


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_workers_and_publisher_go_on_by_themselves_when_the_network_to_postgresql_is_back(
    tmp_path: Path,
    parted: Network,
    kafka_server: Broker,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    rounds, slowest = (8 if soak else 1), 0.0
    with (
        database(host=parted.inside, prefix=parted.enter) as postgres,
        fleet(tmp_path, postgres.url, kafka_server, partitions=PARTITIONS) as there,
        lookups(postgres.url) as seen,
    ):
        there.worker("one")
        until(lambda: bool(seen.serving()), lambda: there.last_words("one"))
        there.publisher()
        there.worker("other")
        server = there.server("server")
        try:
            server.started()
            with talking(Crowd(server.port, 4, seed=67), patience=300) as ledger:
                for _ in range(rounds):
                    more(ledger, 100)
                    parted.part()
                    time.sleep(15)
                    parted.join()
                    more(ledger, 50)
                    slowest = max(slowest, folded(seen, ledger, there, RECOVERED_WITHIN))
            events, rows = assert_sound(there, seen, server, ledger)
            assert not there.ended()
        finally:
            server.kill()
    held(
        f"{rounds} partitions of 15 s between PostgreSQL and everybody else (network namespace) under load: publisher and workers went on by "
        f"themselves, and had folded what was acknowledged after {slowest:.1f} s at most; {len(ledger.accepted):,} commands, {events:,} events, "
        f"{rows:,} rows of lookups like an embedded rebuild"
    )
