"""kill -9 of server, publisher, workers, broker and PostgreSQL at random moments under load, while workers come and go all the time."""

import json
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final

import pytest

from api.settings import load_settings
from api.wiring import open_books
from tests.faults import history, readmodels
from tests.faults.clients import Crowd, Ledger, talking
from tests.faults.database import Database, database
from tests.faults.fleet import Fleet, fleet, until
from tests.faults.server import Server
from tests.faults.shared_lookups import lookups
from tests.held import Held
from tests.kafka_broker.broker import Broker
from tests.kafka_topic import contents, equal

CLIENTS: Final = 4
PARTITIONS: Final = 4
WORKERS: Final = ("worker-1", "worker-2", "worker-3")
KINDS: Final = ("PostgreSQL", "broker", "broker wiped", "publisher", "worker", "server")
"""What is killed; what others need is started before them again."""
RECOVERED_WITHIN: Final = 120.0
TRY_AGAIN: Final = ("publisher.running", "kafka.unavailable", "log.unavailable")
"""Why a process may end that was just started: what it needs was not there yet, so that whoever watches over it starts it again."""


@dataclass
class Chaos:
    """All processes, and what befell them."""

    there: Fleet
    postgres: Database
    broker: Broker
    server: Server
    other: Server
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter[str])
    joined: int = 0
    left: int = 0
    slowest: float = 0.0

    def strike(self, kinds: Collection[str]) -> None:
        """Kill some at once, and start them again after a moment."""
        doomed = {kind: self.chance.choice(WORKERS) if kind == "worker" else kind for kind in kinds}
        for kind, name in doomed.items():
            self._kill(kind, name)
            self.killed[kind] += 1
        time.sleep(self.chance.uniform(0.0, 1.5))
        for kind in sorted(doomed, key=KINDS.index):
            self._revive(kind, doomed[kind])

    def storm(self, times: int) -> None:
        """Let workers come and go, some without a word, faster than a group can share its partitions."""
        for _ in range(times):
            name = self.chance.choice(WORKERS)
            if name not in self.there.running:
                self.there.worker(name)
                self.joined += 1
            elif self.chance.random() < 0.5:
                self.there.kill(name)
                self.killed["worker"] += 1
            else:
                self.there.running[name].terminate()
                self.there.running.pop(name).wait(60)
                self.left += 1
            time.sleep(self.chance.uniform(0.0, 1.0))
        for name in WORKERS:
            if name not in self.there.running:
                self.there.worker(name)
                self.joined += 1

    def recovered(self, ledger: Ledger) -> None:
        """Wait until what was acknowledged last can be read from the server that nobody wrote to."""
        began = time.monotonic()
        told = max((receipt.position for receipt in list(ledger.accepted.values())), default=0)
        while not self._reads(told):
            self.watch_over()
            assert time.monotonic() < began + RECOVERED_WITHIN, [self.there.last_words(name) for name in self.there.running]
            time.sleep(0.1)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def watch_over(self) -> None:
        """Start again who ended because what it needs was not there yet; fail for who ended for any other reason."""
        for name, process in list(self.there.running.items()):
            if process.poll() is not None:
                words = self.there.last_words(name)
                assert any(reason in words for reason in TRY_AGAIN), f"{name} ended with {process.poll()}: {words}"
                del self.there.running[name]
                self.there.publisher() if name == "publisher" else self.there.worker(name)

    def _reads(self, position: int) -> bool:
        with suppress(OSError, HTTPException):
            status, _ = self.other.ask("GET", f"/v1/customers?limit=1&at_least={position}")
            return status == 200
        return False

    def _kill(self, kind: str, name: str) -> None:
        if kind == "PostgreSQL":
            self.postgres.kill()
        elif kind == "server":
            self.server.kill()
        elif kind.startswith("broker"):
            self.broker.kill()
        else:
            self.there.kill(name)

    def _revive(self, kind: str, name: str) -> None:
        if kind == "PostgreSQL":
            self.postgres.started()
        elif kind == "server":
            self.server.started()
        elif kind == "publisher":
            self.there.publisher()
        elif kind == "worker":
            if name not in self.there.running:
                self.there.worker(name)
        elif self.broker.process is None:
            if kind == "broker wiped":
                self.broker.wipe()
            self.broker.start()


@contextmanager
def everything(folder: Path, broker: Broker, chance: random.Random) -> Iterator[Chaos]:
    """Two servers, a publisher and three workers, the first of which began with an empty log: so everything is folded by partitions."""
    with database() as postgres, fleet(folder, postgres.url, broker, partitions=PARTITIONS) as there, lookups(postgres.url) as seen:
        there.worker(WORKERS[0])
        until(lambda: bool(seen.serving()), lambda: there.last_words(WORKERS[0]))
        there.publisher()
        for name in WORKERS[1:]:
            there.worker(name)
        server, other = there.server("server"), there.server("other")
        try:
            yield Chaos(there, postgres, broker, server.started(), other.started(), chance)
        finally:
            server.kill()
            other.kill()


def rounds(chance: random.Random, soak: bool) -> list[Sequence[str]]:  # noqa: FBT001
    """What is killed when: everything once, two at once; with `soak` much more, most of it alone."""
    drawn = chance.sample(KINDS, len(KINDS))
    pairs = [drawn[place : place + 2] for place in range(0, len(drawn), 2)]
    return [*pairs, *(chance.sample(KINDS, chance.choice((1, 1, 1, 2, 3))) for _ in range(60 if soak else 0))]


@pytest.mark.alone
@pytest.mark.timeout(7200)
def test_whatever_is_killed_under_load_nothing_is_lost_nothing_counts_twice_and_all_goes_on(
    tmp_path: Path,
    own_kafka_server: Broker,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    if not own_kafka_server.durable:
        pytest.skip(f"{own_kafka_server.kind} forgets what it was sent when it is killed")
    chance = random.Random(53)
    with everything(tmp_path, own_kafka_server, chance) as chaos:
        with talking(Crowd(chaos.server.port, CLIENTS, seed=53), patience=300) as ledger:
            for number, kinds in enumerate(rounds(chance, soak)):
                time.sleep(chance.uniform(0.2, 1.0))
                chaos.strike(kinds)
                if number % 3 == 0:
                    chaos.storm(8 if soak else 4)
                chaos.recovered(ledger)
        readmodels.caught_up(chaos.server, within=RECOVERED_WITHIN)
        assert not history.asked_again(chaos.server, ledger)
        for server in (chaos.server, chaos.other):
            readmodels.caught_up(server, within=RECOVERED_WITHIN)
            assert_verified(server)
            assert server.stop() == 0
        chaos.watch_over()
        for name in list(chaos.there.running):
            chaos.there.stop(name)
        settings = chaos.there.settings
        findings = history.examine(chaos.server.data, ledger, urls=settings)
        with open_books(load_settings({}, data=chaos.server.data, **settings)) as books, lookups(chaos.postgres.url) as seen:
            equal(contents(chaos.there.cluster, upto=books.log.head()), books.log)
            misplaced = seen.misplaced(books.log.head(), PARTITIONS)
            rows, apart = seen.unlike_embedded(books.log)
    assert not str(findings)
    assert not misplaced
    assert not apart
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    killed = ", ".join(f"{chaos.killed[kind]} of {kind}" for kind in KINDS)
    held(
        f"all of the scaled profile under {CLIENTS} clients, broker {own_kafka_server.kind}: kills: {killed}; workers joined {chaos.joined} times "
        f"and left {chaos.left} times; {len(ledger.accepted):,} commands acknowledged, {findings.events:,} events; lost {len(findings.lost)}, "
        f"applied twice {len(findings.twice)}; {len(misplaced)} partitions misplaced; {rows:,} rows of lookups, {len(apart)} read models unlike "
        f"an embedded rebuild; read from another server again {chaos.slowest:.1f} s after a kill at most"
    )


def assert_verified(server: Server) -> None:
    """Both homes equal a rebuild, as the server itself compares them."""
    status, answer = server.ask("POST", "/v1/verify", b"{}", {"Content-Type": "application/json"}, timeout=300)
    told = json.loads(answer)
    assert (status, told["equal"]) == (200, True), told
    assert {checked["home"] for checked in told["checked"]} == {"lookups", "facts"}
