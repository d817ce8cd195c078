"""Clients that follow the feed as a stream and note what they are sent; their connections break at random moments, and they go on."""

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

AGAIN_AFTER: Final = 0.05
SILENCE: Final = 30.0
"""Seconds without a byte after which a client gives its connection up."""


@dataclass(slots=True)
class Follower:
    """One client. `wanted` are parameters of the feed; with `nap` it reads slowly; with `cut` it breaks its connections by itself."""

    port: int
    random: random.Random
    wanted: Sequence[tuple[str, str]] = ()
    nap: float = 0.0
    cut: float = 0.0
    """The share of chunks after which it lets go of its connection."""
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    after: int = 0
    connections: int = 0
    problems: list[str] = field(default_factory=list[str])
    stopping: bool = False

    def run(self) -> None:
        """Follow until told to stop."""
        while not self.stopping:
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                time.sleep(AGAIN_AFTER)

    def _follow(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SILENCE)
        try:
            connection.connect()
            if self.nap:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self.after)} if self.after else {})
            connection.request("GET", "/v1/events?" + urlencode(self.wanted), headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                if response.status != 503:
                    self.problems.append(f"{response.status}: {response.read()!r}")
                time.sleep(AGAIN_AFTER)
                return
            self.connections += 1
            self._read(response)
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        """What comes counts when its last line is there: a blank one."""
        buffered = b""
        while not self.stopping:
            piece = response.read1(self.random.randint(1, 5_000))
            if not piece:
                return
            *whole, buffered = (buffered + piece).split(b"\n\n")
            for block in whole:
                self._take(block.decode())
            if self.random.random() < self.cut:
                return
            if self.nap:
                time.sleep(self.random.uniform(0, self.nap))

    def _take(self, block: str) -> None:
        lines = [line.partition(": ") for line in block.split("\n")]
        fields = {name: value for name, _, value in lines if name}
        if "id" in fields:
            self.after = int(fields["id"])
        if "event" in fields:
            self.problems.append(block)
        elif "data" in fields:
            self.seen.append(json.loads(fields["data"]))


@contextmanager
def following(*followers: Follower) -> Iterator[None]:
    """They follow, each in a thread of its own."""
    threads = [threading.Thread(target=follower.run, daemon=True) for follower in followers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for follower in followers:
            follower.stopping = True
        for thread in threads:
            thread.join(2 * SILENCE)


def until_all_are_at(head: int, followers: Sequence[Follower], *, within: float = 120.0) -> None:
    """Wait until every client has come to a position. Fails when that takes too long."""
    deadline = time.monotonic() + within
    while any(follower.after < head for follower in followers):
        assert time.monotonic() < deadline, f"{[follower.after for follower in followers]} of {head}"
        time.sleep(0.05)
