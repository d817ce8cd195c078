"""Commands and reads over HTTP with 32 clients, beside the empty application."""

import json
from itertools import cycle
from pathlib import Path

from bench import load, servers
from bench.figures import Figure, quantile, side_by_side

CLIENTS = 32
SECONDS = 4.0
CUSTOMERS = 200
WRITES_PER_SECOND = 200.0
LIBRARY_WAIT_MS = 100.0
"""How often the library's own `wait()` looks whether a position has been processed, unless told otherwise."""


def measure(folder: Path) -> list[Figure]:
    """Durable commands a second, reads a second, and how soon a write can be read."""
    with servers.daybook(folder) as port, servers.empty() as empty:
        pipeline = servers.command(
            port, "define_pipeline", {"name": "Sales", "stages": [{"name": "Lead"}, {"name": "Won", "status": "won"}]}
        )
        customers = [servers.command(port, "register_customer", {"name": f"Customer {n}"})["stream_id"] for n in range(CUSTOMERS)]
        deal = {"pipeline_id": pipeline["stream_id"], "name": "Machines", "owner_id": "ana", "amount": "1200.50"}
        bodies = [json.dumps({"customer_id": customer, **deal}).encode() for customer in customers]
        opens = [load.request("POST", "/v1/commands/open_opportunity", body) for body in bodies]
        posts = [load.request("POST", "/", body) for body in bodies]
        paths = [f"/v1/customers/{customer}" for customer in customers]
        reads = [load.request("GET", path) for path in paths]
        gets = [load.request("GET", f"/{customer}") for customer in customers]
        looked_up = side_by_side(lambda: _rate(port, reads), lambda: _rate(empty, gets))
        seen = load.read_own_writes(port, opens, paths, writers=8, per_second=WRITES_PER_SECOND, seconds=2 * SECONDS)
        commands = side_by_side(lambda: _rate(port, opens), lambda: _rate(empty, posts))
    wait = "the library's wait()"
    return [
        Figure("durable commands over HTTP, 32 clients", commands[0], "/s", "empty FastAPI POST", commands[1], "≥ 0.50 ×"),
        Figure("append → visible at 200 commands/s, p50", quantile(seen, 0.5), "ms", wait, LIBRARY_WAIT_MS, "≤ 5 ms"),
        Figure("append → visible at 200 commands/s, p99", quantile(seen, 0.99), "ms", wait, LIBRARY_WAIT_MS, "≤ 50 ms"),
        Figure("customer 360 by id, 32 clients", looked_up[0], "/s", "empty FastAPI GET", looked_up[1], "≥ 0.50 ×"),
    ]


def _rate(port: int, requests: list[bytes]) -> float:
    done = load.run(port, CLIENTS, SECONDS, cycle(requests))
    if done.refused:
        raise RuntimeError(f"{done.refused} requests were refused")
    return done.per_second
