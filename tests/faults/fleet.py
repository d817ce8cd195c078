"""The processes of the scaled profile over one PostgreSQL and one broker: each started, killed or stopped, and started again under its name."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from bus.kafka.cluster import Cluster
from tests.faults.commands import Forked, start
from tests.faults.server import Server
from tests.kafka_broker.broker import Broker

MASTER: Final = "5a" * 32
ENDS_WITHIN: Final = 60.0


@dataclass(slots=True)
class Fleet:
    """Who runs beside whom. Each process has a data folder of its own, as if on a machine of its own."""

    folder: Path
    settings: Mapping[str, str]
    cluster: Cluster
    running: dict[str, Forked] = field(default_factory=dict[str, Forked])
    kills: int = 0
    _silent: dict[str, int] = field(default_factory=dict[str, int])
    """How much each process name had said when the present one was started."""

    def publisher(self, name: str = "publisher") -> None:
        """Start a publisher."""
        self._start(name, "publish", self.settings)

    def worker(self, name: str, **other: str) -> None:
        """Start a worker, with some `other` settings."""
        self._start(name, "work", {**self.settings, **other})

    def taker(self, name: str, *arguments: str) -> None:
        """Start who takes commands."""
        self._start(name, "take-commands", self.settings, *arguments)

    def server(self, name: str) -> Server:
        """A place to serve from; whoever asked starts and ends it."""
        return Server(self.folder / name, urls=self.settings)

    def kill(self, name: str) -> None:
        """kill -9, if it runs."""
        if (process := self.running.pop(name, None)) is not None:
            self.kills += process.poll() is None
            process.kill()
            process.wait()

    def stop(self, name: str) -> None:
        """SIGTERM, once it has said that it is at work, and see it end well."""
        process = self.running.pop(name)
        until(lambda: self._output(name).stat().st_size > self._silent[name], lambda: f"{name} said nothing")
        process.terminate()
        code = process.wait(ENDS_WITHIN)
        assert code == 0, f"{name} ended with {code}: {self.last_words(name)}"

    def ended(self) -> list[str]:
        """Who ended by itself, which nobody should."""
        return [
            f"{name} ended with {code}: {self.last_words(name)}" for name, it in self.running.items() if (code := it.poll()) is not None
        ]

    def said(self, name: str, word: str) -> list[dict[str, Any]]:
        """The lines in JSON that a process said with a word in them."""
        output = self._output(name)
        lines = output.read_text().splitlines() if output.exists() else []
        return [json.loads(line) for line in lines if f'"{word}"' in line and line.endswith("}")]

    def last_words(self, name: str) -> str:
        """What a process said last."""
        return self._output(name).read_text()[-3000:] if self._output(name).exists() else "it said nothing"

    def _start(self, name: str, command: str, settings: Mapping[str, str], *arguments: str) -> None:
        assert name not in self.running
        output = self._output(name)
        self._silent[name] = output.stat().st_size if output.exists() else 0
        self.running[name] = start(self.folder / name, command, *arguments, output=output, settings=settings)

    def _output(self, name: str) -> Path:
        return self.folder / f"{name}.txt"


@contextmanager
def fleet(folder: Path, postgres_url: str, broker: Broker, *, partitions: int = 6, prefix: str | None = None) -> Iterator[Fleet]:
    """One with nobody in it yet; whoever still runs at the end is killed."""
    cluster = Cluster(broker.address, prefix or f"test-{uuid4().hex[:12]}")
    settings = {
        **dict.fromkeys(("log_url", "keys_url", "lookups_url"), postgres_url),
        "master_key": MASTER,
        "kafka": cluster.servers,
        "topics_prefix": cluster.prefix,
        "kafka_partitions": str(partitions),
    }
    made = Fleet(folder, settings, cluster)
    with ExitStack() as closing:
        closing.callback(lambda: [made.kill(name) for name in list(made.running)])
        yield made


def until(reached: Callable[[], bool], told: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something; after so many seconds fail with what is `told`."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)
