"""A real Kafka broker for tests: Apache Kafka where Java and Maven are there, otherwise the one that comes with Python packages.

`TEST_KAFKA=tansu` (or `apache`) in the environment says which one it has to be.
"""

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.kafka_broker.broker import Broker, begun, running
from tests.kafka_broker.programs import Place, Program, apache_kafka, tansu

USED = pytest.StashKey[set[str]]()
STARTED: list[Broker] = []
"""Brokers that this process started for all of its run."""
WANTED = os.environ.get("TEST_KAFKA", "")


@cache
def program() -> Program:
    """The broker that this machine can run."""
    found = None if WANTED == "tansu" else apache_kafka()
    if WANTED == "apache" and found is None:
        raise RuntimeError("Apache Kafka was asked for; it needs java and mvn, and its artifacts")
    return found or tansu()


@pytest.fixture(scope="session")
def kafka_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of this run, which all its processes share; a test that breaks it is marked `alone`, or has one of its own."""
    _note(request.config, program().kind)
    several = "PYTEST_XDIST_WORKER" in os.environ
    with _shared(tmp_path_factory.getbasetemp().parent / "kafka") if several else running(program()) as broker:
        yield broker


@pytest.fixture
def own_kafka_server(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker for one test, to be broken at will."""
    _note(request.config, program().kind)
    with running(program()) as broker:
        yield broker


@pytest.fixture
def topics_prefix() -> str:
    """What this test's topics are called after, so that no two tests have the same."""
    return f"test-{uuid4().hex[:12]}"


@contextmanager
def _shared(folder: Path) -> Iterator[Broker]:
    """The broker that the first process started; the last to leave ends it, in whatever way the others ended."""
    folder.mkdir(exist_ok=True)
    with (folder / "door").open("w") as door, (folder / "users").open("w") as users:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        told = folder / "broker.json"
        if not told.exists():
            broker = begun(program())
            STARTED.append(broker)
            place = {"folder": str(broker.place.folder), "ports": [broker.place.port, broker.place.controller_port]}
            assert broker.process is not None
            told.write_text(json.dumps({**place, "pid": broker.process.pid}))
        about = json.loads(told.read_text())
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield Broker(program(), Place(Path(about["folder"]), *about["ports"]), shared=True)
        finally:
            _leave(folder, users, door, about)


def _leave(folder: Path, users: Any, door: Any, about: dict[str, Any]) -> None:
    """End the broker where nobody uses it any more."""
    fcntl.flock(door, fcntl.LOCK_EX)
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    os.kill(about["pid"], signal.SIGKILL)
    for broker in STARTED:
        broker.kill()
    shutil.rmtree(about["folder"], ignore_errors=True)
    (folder / "broker.json").unlink()


def _note(config: pytest.Config, kind: str) -> None:
    config.stash.setdefault(USED, set()).add(kind)


def pytest_report_header() -> str:
    """Which broker would be used; its artifacts are looked for when a test asks."""
    likely = "Apache Kafka" if WANTED != "tansu" and shutil.which("java") and shutil.which("mvn") else "Tansu"
    return f"kafka: {likely}, where a test asks for a broker"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of a run with several tells the first which broker it used."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["kafka"] = sorted(session.config.stash.get(USED, set()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The first process hears of it."""
    for kind in getattr(node, "workeroutput", {}).get("kafka", ()):
        _note(node.config, kind)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which broker was used."""
    for kind in sorted(config.stash.get(USED, set())):
        terminalreporter.write_line(f"kafka: tests ran against {kind}")
