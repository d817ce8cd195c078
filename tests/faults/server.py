"""A `daybook serve` of its own for a test: started, killed or stopped, and started again on the same data folder and port."""

import http.client
import json
import random
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.faults.commands import PROGRAM, ROOT, Running, start

READY_WITHIN: Final = 60.0
LOOK_EVERY: Final = 0.01


def free_port() -> int:
    """A port that nobody listens on, outside the range from which the system takes the ports of outgoing connections.

    Within that range a client that asks again and again while the server is down would end up connected to itself.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port between 20000 and 32000")


@dataclass(slots=True)
class Server:
    """One place to serve from, and the process that does so now, if any.

    With a `prefix`, it is a command of its own, started by that one; else it is forked from a process that has read the code.
    """

    data: Path
    port: int = field(default_factory=free_port)
    prefix: Sequence[str] = ()
    urls: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings such as `log_url`, where not everything lies in the data folder."""
    inside: int | None = None
    """A process whose file systems it sees."""
    said: Path = Path()
    """What all its processes write to standard output and standard error; beside the data unless given."""
    process: Running | None = None

    def __post_init__(self) -> None:
        if self.said == Path():
            self.said = self.data.with_name(self.data.name + ".server.txt")

    def start(self) -> None:
        """Start a process; it is not ready yet."""
        assert self.process is None
        arguments = ("serve", "--port", str(self.port))
        if not self.prefix:
            self.process = start(self.data, *arguments, output=self.said, settings=self.urls, inside=self.inside)
            return
        with self.said.open("ab") as said:
            command = [*self.prefix, *PROGRAM, "--data", str(self.data), "--json", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def wait_ready(self) -> None:
        """Wait until it answers. Fails when it ends instead."""
        assert self.process is not None
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended with {self.process.poll()}:\n{self._last_words()}"
            with suppress(OSError, http.client.HTTPException):
                self.ask("GET", "/health", timeout=READY_WITHIN)
                return
            time.sleep(LOOK_EVERY)
        raise AssertionError(f"the server did not answer within {READY_WITHIN:.0f} s:\n{self._last_words()}")

    def _last_words(self) -> str:
        return self.said.read_text()[-5000:] if self.said.exists() else "it said nothing"

    def started(self) -> "Server":
        """Start it and wait until it answers."""
        self.start()
        self.wait_ready()
        return self

    def refused(self) -> Any:
        """Start it, see it end at once, and give the problem that it ended with."""
        self.start()
        assert self.process is not None
        assert self.process.wait(READY_WITHIN) == 1
        self.process = None
        return json.loads(self.said.read_text().splitlines()[-1])

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, *, timeout: float = 60.0
    ) -> tuple[int, bytes]:
        """Status and body of one answer, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str, *, any_status: bool = False) -> Any:
        """The JSON at a path, which must be there unless `any_status` will do."""
        status, body = self.ask("GET", path)
        assert any_status or status == 200, body
        return json.loads(body)

    def kill(self) -> None:
        """kill -9, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(timeout)
        self.process = None
        return code

    def complaints(self) -> str:
        """What it wrote besides where it serves and what it does."""
        return "".join(line for line in self.said.read_text().splitlines(keepends=True) if line.strip() and not _harmless(line))


def _harmless(line: str) -> bool:
    """Whether a line says where it serves, or is one of the log that warns of nothing."""
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return "url" in told or told.get("level") in ("debug", "info")
