"""Appending to PostgreSQL by many clients at once, with group commit, beside the library's own recorder."""

import statistics
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from eventsourcing.application import Application

from api.settings import Settings
from api.wiring import open_books
from bench.figures import ROUNDS, Figure
from bench.library import Deal
from commands.group import GroupCommit
from commands.order import Order, Receipt
from tests.postgres import empty_database, serving

CLIENTS = (1, 8, 32)
SECONDS = 3.0

Append = Callable[[int], None]
"""Appends one thing durably, as the client of that number."""


def measure(folder: Path) -> list[Figure]:
    """Durable commands a second by some clients at once, and aggregates saved by as many clients of the library."""
    found: list[Figure] = []
    with serving() as server:
        for clients in CLIENTS:
            ours, theirs = [], []
            for number in range(ROUNDS):
                with empty_database(server) as url:
                    ours.append(_commands(url, folder / f"{clients}-{number}", clients))
                with empty_database(server) as url:
                    theirs.append(_saves(url, clients))
            goal = "≥ 5 ×" if clients == max(CLIENTS) else ""
            name = f"durable commands into PostgreSQL, {clients} clients"
            rate, baseline = statistics.median(ours), statistics.median(theirs)
            found.append(Figure(name, rate, "commands/s", "the library's save()", baseline, goal))
    return found


def _commands(url: str, data: Path, clients: int) -> float:
    """Deals opened a second by the group commit, each decided and durable before its client goes on; as much as the library is asked to save."""
    with open_books(Settings.model_validate({"data": data, "log_url": url})) as books:
        group = GroupCommit(books.dispatcher)

        def done(name: str, data: dict[str, Any]) -> UUID:
            (receipt,) = group.submit([Order(name=name, data=data, actor="user:bench", source="bench")]).result()
            assert isinstance(receipt, Receipt)
            return receipt.stream_id

        stages = [{"name": "Lead"}, {"name": "Won", "status": "won"}]
        pipeline = done("define_pipeline", {"name": "Sales", "stages": stages})
        customers = [done("register_customer", {"name": f"Customer {number}"}) for number in range(clients)]

        def append(client: int) -> None:
            deal = {"customer_id": str(customers[client]), "pipeline_id": str(pipeline)}
            done("open_opportunity", {**deal, "name": f"Deal of {client}", "owner_id": "ana", "amount": "1200.50"})

        try:
            return _per_second(append, clients)
        finally:
            group.close()


def _saves(url: str, clients: int) -> float:
    """New aggregates saved a second by the library's application, one in each `save()`."""
    place = urlsplit(url)
    host = dict(pair.split("=", 1) for pair in place.query.split("&") if pair).get("host", place.hostname or "")
    app = Application[UUID](
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": place.path.lstrip("/"),
            "POSTGRES_HOST": host.replace("%2F", "/"),
            "POSTGRES_PORT": str(place.port or 5432),
            "POSTGRES_USER": place.username or "postgres",
            "POSTGRES_PASSWORD": place.password or "",
            "POSTGRES_POOL_SIZE": str(clients),
        }
    )
    try:
        return _per_second(lambda client: _save(app, client), clients)
    finally:
        app.close()


def _save(app: Application[UUID], client: int) -> None:
    app.save(Deal(f"Deal of {client}", "ana", "1200.50"))


def _per_second(append: Append, clients: int) -> float:
    """How many appends a second so many clients come to, each waiting for its own."""
    append(0)
    done = [0] * clients
    end = perf_counter() + SECONDS

    def work(client: int) -> None:
        while perf_counter() < end:
            append(client)
            done[client] += 1

    threads = [Thread(target=work, args=(client,)) for client in range(clients)]
    started = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (perf_counter() - started)
