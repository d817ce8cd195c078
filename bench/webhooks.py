"""Deliveries a second to a receiver on this machine, beside a bare loop of the same HTTP client with as many requests at once."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from starlette.testclient import TestClient

from api.app import create_app
from api.demo.fill import fill
from api.settings import load_settings
from api.webhooks.deliverer import delivering
from api.webhooks.worker import IN_FLIGHT
from api.wiring import open_daybook
from bench import servers
from bench.figures import Figure, side_by_side

EVENTS = 3_000
SLOW = 10
"""Receivers that never answer, beside the one that is measured."""
PATIENCE = 300.0


def measure(folder: Path) -> list[Figure]:
    """Signed deliveries of events that are in the log already, alone and beside receivers that never answer."""
    settings = load_settings({}, data=folder / "data", webhook_private=True, archive=False)
    with servers.empty() as port, _silent() as silent, open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http:
        fill(daybook.books.log, events=EVENTS)
        url = f"http://127.0.0.1:{port}/hooks"
        body = json.dumps({"type": "x", "timestamp": "x", "data": http.get("/v1/events", params={"limit": 1}).json()["events"][0]}).encode()
        head = daybook.books.log.head()
        with delivering(daybook):

            def delivered() -> float:
                made = http.post("/v1/webhooks", json={"url": url, "after": 0}).raise_for_status().json()
                began = time.perf_counter()
                while http.get(f"/v1/webhooks/{made['id']}").json()["position"] < head:
                    if time.perf_counter() - began > PATIENCE:
                        raise RuntimeError("the events were not delivered")
                    time.sleep(0.01)
                seconds = time.perf_counter() - began
                told = http.get(f"/v1/webhooks/{made['id']}").json()
                if told["failures"] or told["waiting"]:
                    raise RuntimeError(f"some were not taken: {told}")
                http.delete(f"/v1/webhooks/{made['id']}").raise_for_status()
                return head / seconds

            alone = side_by_side(delivered, lambda: asyncio.run(_bare(url, body, head)))
            for _ in range(SLOW):
                http.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{silent}/", "after": 0}).raise_for_status()
            time.sleep(1.0)
            beside = delivered()
    bare = f"bare httpx2 loop, {IN_FLIGHT} at once"
    return [
        Figure(f"webhook deliveries, one receiver, {IN_FLIGHT} at once", alone[0], "/s", bare, alone[1]),
        Figure(f"the same beside {SLOW} receivers that never answer", beside, "/s", "without them", alone[0]),
    ]


async def _bare(url: str, body: bytes, count: int) -> float:
    left = iter(range(count))
    began = time.perf_counter()
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def post() -> None:
            for _ in left:
                (await client.post(url, content=body, headers={"content-type": "application/json"})).raise_for_status()

        await asyncio.gather(*(post() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - began)


@contextmanager
def _silent() -> Generator[int]:
    """The port of a receiver that takes connections and says nothing."""
    program = "import socket; s = socket.create_server(('127.0.0.1', 0), backlog=1024); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
