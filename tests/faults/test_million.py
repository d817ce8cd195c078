"""A long log through Kafka with two workers, killed on the way: nothing is lost, nothing counts twice, and all is as one process makes it by itself."""

from pathlib import Path

import pytest

from tests.faults.database import database
from tests.faults.million import FAULTS, prove
from tests.held import Held
from tests.kafka_broker.broker import Broker


@pytest.mark.alone
@pytest.mark.timeout(7200)
def test_what_two_workers_fold_is_what_the_log_says_though_they_and_the_broker_are_killed(
    tmp_path: Path,
    own_kafka_server: Broker,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    if not own_kafka_server.durable:
        pytest.skip(f"{own_kafka_server.kind} forgets what it was sent when it is killed")
    with database() as postgres:
        outcome = prove(1_000_000 if soak else 4_000, tmp_path, postgres, own_kafka_server, print)
    assert outcome.worker_kills == sum(what != "broker" for _, what in FAULTS)
    assert outcome.broker_kills == sum(what == "broker" for _, what in FAULTS)
    assert outcome.distinct == outcome.events
    assert not outcome.repeated
    assert not outcome.misplaced
    assert not outcome.apart
    assert outcome.rows
    held(str(outcome))
