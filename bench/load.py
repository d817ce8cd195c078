"""A load generator that costs little itself: keep-alive connections that send prepared requests and count answers."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import orjson


@dataclass(slots=True)
class Load:
    """What one run of the load came to: `seconds` long, `answers` 2xx answers, the rest `refused`; latencies in seconds."""

    seconds: float = 0.0
    answers: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list[float])

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds if self.seconds else 0.0


class Connection:
    """One keep-alive connection to a server on loopback."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[bool, bytes]:
        """Send a request; whether the answer is a 2xx, and its body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return head.startswith(b"HTTP/1.1 2"), await self._reader.readexactly(length)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """The bytes of one HTTP/1.1 request to a server on loopback."""
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{content}\r\n".encode() + body


def run(port: int, clients: int, seconds: float, requests: Iterator[bytes]) -> Load:
    """Let `clients` connections to a server send `requests` one after the other for `seconds`."""
    return spread((port,), clients, seconds, requests)


def spread(ports: Sequence[int], clients: int, seconds: float, requests: Iterator[bytes]) -> Load:
    """The same with connections to several servers in turn."""

    async def work() -> Load:
        load, started = Load(), time.perf_counter()
        await asyncio.gather(*(_client(ports[number % len(ports)], started + seconds, requests, load) for number in range(clients)))
        load.seconds = time.perf_counter() - started
        return load

    return asyncio.run(work())


async def _client(port: int, end: float, requests: Iterator[bytes], load: Load) -> None:
    connection = await Connection.to(port)
    while (sent := time.perf_counter()) < end:
        taken, _ = await connection.ask(next(requests))
        load.latencies.append(time.perf_counter() - sent)
        load.answers += taken
        load.refused += not taken
    await connection.close()


def read_own_writes(
    port: int, writes: Sequence[bytes], reads: Sequence[str], *, writers: int, per_second: float, seconds: float
) -> list[float]:
    """Milliseconds from each write's receipt to the answer of a read with `at_least=` its position.

    `reads[n]` is the path that `writes[n]` shows in. Meanwhile `writers` other connections write `per_second` commands together.
    """

    async def work() -> list[float]:
        end = time.perf_counter() + seconds
        others = [asyncio.create_task(_write(port, writes[n:] or writes, per_second / writers, end)) for n in range(writers)]
        connection, found = await Connection.to(port), list[float]()
        number = 0
        while time.perf_counter() < end:
            _, body = await connection.ask(writes[number % len(writes)])
            acknowledged = time.perf_counter()
            path = f"{reads[number % len(writes)]}?at_least={orjson.loads(body)['position']}"
            taken, body = await connection.ask(request("GET", path))
            if not taken:
                raise RuntimeError(body.decode())
            found.append((time.perf_counter() - acknowledged) * 1000)
            number += 1
            await asyncio.sleep(0.01)
        await asyncio.gather(*others)
        await connection.close()
        return found

    return asyncio.run(work())


async def _write(port: int, writes: Sequence[bytes], per_second: float, end: float) -> None:
    connection, number = await Connection.to(port), 0
    due = time.perf_counter()
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await connection.ask(writes[number % len(writes)])
        number += 1
        due += 1 / per_second
    await connection.close()
