"""A log, a cluster and publishers between them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest
from uuid_utils.compat import uuid7

from bus.kafka.cluster import Cluster
from bus.kafka.publisher import Layout, Publisher
from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.publisher_lock import FileLock
from domain.commit import Commit
from tests.contracts.commits import commit, contact, stream_of
from tests.kafka_broker.broker import Broker


@dataclass
class Publishing:
    """A log that is published to a cluster."""

    log: Log
    cluster: Cluster
    lock: Path

    def write(self, customers: int, events: int = 1) -> None:
        """Some events of customers, and of streams that belong to none."""
        commits: list[Commit] = []
        for _ in range(customers):
            contact_id = uuid7()
            commits += [commit(*(contact(contact_id) for _ in range(events))), stream_of(1)]
        with self.log.transaction() as tx:
            tx.append(commits)

    def publisher(self, partitions: int = 3) -> Publisher:
        return Publisher(self.log, self.cluster, FileLock(self.lock), Layout(partitions))

    def once(self) -> Publisher:
        publisher = self.publisher()
        publisher.run(Flag(), once=True)
        return publisher

    @contextmanager
    def going_on(self) -> Iterator[Publisher]:
        """A publisher that runs meanwhile."""
        publisher, stop = self.publisher(), Flag()
        thread = Thread(target=publisher.run, args=(stop,))
        thread.start()
        try:
            yield publisher
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with closing(open_vault(tmp_path / "keys.db", bytes(32))) as vault, closing(open_log(tmp_path / "log.db", vault)) as opened:
        yield opened


@pytest.fixture
def publishing(log: Log, kafka_server: Broker, topics_prefix: str, tmp_path: Path) -> Publishing:
    return Publishing(log, Cluster(kafka_server.address, topics_prefix), tmp_path / "publish.lock")


@pytest.fixture
def breakable(log: Log, own_kafka_server: Broker, topics_prefix: str, tmp_path: Path) -> Publishing:
    """The same with a broker that may be broken."""
    return Publishing(log, Cluster(own_kafka_server.address, topics_prefix), tmp_path / "publish.lock")
