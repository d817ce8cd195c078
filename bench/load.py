"""A load generator that costs little itself: keep-alive connections that send prepared requests and count answers."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


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


def request(method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """The bytes of one HTTP/1.1 request to a server on loopback."""
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{content}{headers}\r\n".encode() + body


def run(port: int, clients: int, seconds: float, requests: Iterator[bytes]) -> Load:
    """Let `clients` connections send `requests` one after the other for `seconds`."""
    return asyncio.run(_run(port, clients, seconds, requests))


async def _run(port: int, clients: int, seconds: float, requests: Iterator[bytes]) -> Load:
    load = Load()
    end = time.perf_counter() + seconds
    started = time.perf_counter()
    await asyncio.gather(*(_client(port, end, requests, load) for _ in range(clients)))
    load.seconds = time.perf_counter() - started
    return load


async def _client(port: int, end: float, requests: Iterator[bytes], load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (sent := time.perf_counter()) < end:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        length = int(lowered.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        load.latencies.append(time.perf_counter() - sent)
        if head.startswith(b"HTTP/1.1 2"):
            load.answers += 1
        else:
            load.refused += 1
    writer.close()
    await writer.wait_closed()
