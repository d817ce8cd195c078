"""The scaled profile for measurements: a PostgreSQL and a Kafka of their own, and `daybook` commands as processes."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psutil
import psycopg

from bench import servers
from bench.cpu import Meter
from bus.kafka.cluster import Cluster
from projections.catalogue import FOLDS, layouts
from projections.fold import Home
from projections.plan import plans
from projections.versions import serve_empty
from readmodels.lookups import LookupStore
from tests.faults.server import free_port
from tests.kafka import program
from tests.kafka_broker.broker import Broker, running
from tests.postgres import empty_database, serving

MASTER_KEY = "5a" * 32
LEAVING_SECONDS = 30


@dataclass(slots=True)
class Command:
    """A `daybook` command that runs."""

    process: "subprocess.Popen[bytes]"
    data: Path
    output: Path

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def said(self) -> list[dict[str, Any]]:
        """The lines of JSON that it has written so far. Raises RuntimeError when it has failed."""
        if self.process.poll():
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.output.read_text()[-2000:]}")
        lines = self.output.read_bytes().splitlines(keepends=True)
        return [orjson.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"\n")]


@dataclass(frozen=True, slots=True)
class Scaled:
    """The parts, and one log with the keys to it."""

    folder: Path
    server: str
    """PostgreSQL's own database."""
    broker: Broker
    log_url: str

    def cluster(self, prefix: str) -> Cluster:
        """The broker, with topics called after a prefix."""
        return Cluster(self.broker.address, prefix)

    def settings(self, prefix: str, lookups_url: str | None = None) -> dict[str, str]:
        """Settings of a process, by their names."""
        shared = {"log_url": self.log_url, "keys_url": self.log_url, "master_key": MASTER_KEY}
        return {**shared, "lookups_url": lookups_url or self.log_url, "kafka": self.broker.address, "topics_prefix": prefix}

    @contextmanager
    def running(self, settings: dict[str, str], *arguments: str) -> Generator[Command]:
        """A `daybook` command with a data folder of its own, whose connections to PostgreSQL are called after it; it is told to stop in the end."""
        name = f"{arguments[0]}-{uuid4().hex[:6]}"
        output = self.folder / f"{name}.txt"
        with output.open("wb") as file:
            program = servers.program(self.folder / name, *arguments)
            env = servers.environment(settings) | {"PGAPPNAME": arguments[0]}
            process = subprocess.Popen(program, stdout=file, stderr=file, env=env)
        try:
            yield Command(process, self.folder / name, output)
        finally:
            process.terminate()
            process.wait(LEAVING_SECONDS)

    @contextmanager
    def serving(self, settings: dict[str, str]) -> Generator[tuple[int, Command]]:
        """A server that answers: its port, and the command."""
        port = free_port()
        with self.running(settings, "serve", "--port", str(port)) as command:
            servers.answers(command.process, f"http://127.0.0.1:{port}/health")
            yield port, command

    def meter(self, **parts: list[int]) -> Meter:
        """Reads what PostgreSQL, the broker and further parts use of the processors."""
        with psycopg.connect(self.server) as connection:
            postmaster = psutil.Process(connection.info.backend_pid).ppid()
        assert self.broker.process is not None
        return Meter({**parts, "PostgreSQL": [postmaster], "the broker": [self.broker.process.pid]})


@contextmanager
def scaled(folder: Path) -> Generator[Scaled]:
    """Everything but the processes of Daybook's own."""
    with serving() as server, empty_database(server) as log_url, running(program()) as broker:
        yield Scaled(folder, server, broker, log_url)


@contextmanager
def fresh_lookups(server: str) -> Generator[str]:
    """The address of lookups that serve and in which nothing is folded yet, so that workers fold everything from the topic."""
    with empty_database(server) as url:
        store = LookupStore.postgres(url, layouts(Home.LOOKUPS))
        with store.writing() as writer:
            for plan in plans(FOLDS, Home.LOOKUPS):
                serve_empty(writer, Home.LOOKUPS, plan)
        store.close()
        yield url
