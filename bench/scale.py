"""The scaled profile: publishing, folding by one worker and by two, reads from one server and from two, and how soon a command is seen."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import psycopg

from api.ingest import ingest
from api.lines import Door
from api.settings import load_settings
from api.wiring import open_books
from bench import load, servers
from bench.business import EVENTS_PER_GROUP, lines
from bench.cpu import Meter, cores
from bench.figures import ROUNDS, Figure, quantile
from bench.folding import WORKERS, folded, positions
from bench.publishing import consumed, published, read, sent
from bench.scaled import Scaled, scaled
from bench.sizes import connections, memory, room

EVENTS = 1_000_000 if os.environ.get("DAYBOOK_BENCH_LARGE") else 60_000
CLIENTS = 32
READ_SECONDS = 4.0
CUSTOMERS = 200
COMMANDS_PER_SECOND = 200.0
SECONDS = 20.0
"""How long commands are sent, and waited for in the lookups."""

SERVER = "server"

Busy = Mapping[str, float]
"""How many cores each part kept busy."""
Measured = tuple[float, Busy]


def measure(folder: Path) -> list[Figure]:
    """Each beside its baseline of the same run, and how many cores each part kept busy."""
    with scaled(folder) as parts:
        head = _log(parts)
        rounds = [_round(parts, number, head) for number in range(ROUNDS)]
        return [*_travelling(rounds), *_serving(parts)]


def _log(parts: Scaled) -> int:
    """Fill the log; its last position."""
    settings = load_settings({}, data=parts.folder / "filled", **parts.settings("none"))
    with open_books(settings) as books:
        door = Door("user:bench", "ingest")
        ingest(lines(EVENTS // EVENTS_PER_GROUP), books.dispatcher, door, refused=print, advanced=lambda _: None)
        return books.log.head()


@dataclass(frozen=True, slots=True)
class Round:
    """What one round from the log to lookups came to, events or records a second."""

    published: Measured
    sent: float
    """By a bare producer."""
    read: float
    consumed: float
    """By a bare consumer."""
    one: Measured
    two: Measured


def _round(parts: Scaled, number: int, head: int) -> Round:
    """From the log to a new topic, and from there to fresh lookups."""
    prefix, cluster = f"round{number}", parts.cluster(f"round{number}")
    shipped = published(parts, prefix, head)
    bare, records = consumed(cluster)
    events = positions(records)
    bare_sent = sent(parts.cluster(f"bare{number}"), records)
    return Round(
        shipped, bare_sent, read(cluster), bare, folded(parts, prefix, events, workers=1), folded(parts, prefix, events, workers=2)
    )


def _travelling(rounds: Sequence[Round]) -> list[Figure]:
    shipped, one, two = (_middle(each) for each in zip(*((turn.published, turn.one, turn.two) for turn in rounds), strict=True))
    decoded = median(turn.read for turn in rounds)
    return [
        Figure("published from PostgreSQL", shipped[0], "events/s", "bare idempotent producer", median(turn.sent for turn in rounds)),
        _busy(shipped[1]),
        Figure("read from Kafka and decoded", decoded, "events/s", "bare consumer", median(turn.consumed for turn in rounds)),
        Figure("folded by one worker", one[0], "events/s", "reading without folding", decoded),
        _busy(one[1]),
        Figure("folded by two workers", two[0], "events/s", "by one", one[0], "≥ 1.60 ×"),
        _busy(two[1]),
        Figure("  events in a CPU second of two workers", two[0] / two[1][WORKERS], "events", "of one", one[0] / one[1][WORKERS]),
    ]


def _middle(rounds: Sequence[Measured]) -> Measured:
    """The round with the median rate."""
    return sorted(rounds, key=lambda each: each[0])[len(rounds) // 2]


def _busy(busy: Busy) -> Figure:
    """Who kept the machine busy: one row, since the parts only say something together."""
    parts = ", ".join(f"{part} {used:.2f}" for part, used in busy.items())
    return Figure(f"  busy cores: {parts}", sum(busy.values()), f"of {os.cpu_count()}")


def _serving(parts: Scaled) -> list[Figure]:
    """Everything at once: a publisher, two workers, and two servers that are asked."""
    settings = parts.settings("round0")
    with ExitStack() as stack:
        publisher = stack.enter_context(parts.running(settings, "publish"))
        workers = [stack.enter_context(parts.running(settings, "work")) for _ in range(2)]
        serving = [stack.enter_context(parts.serving(settings)) for _ in range(2)]
        ports = [port for port, _ in serving]
        with psycopg.connect(parts.log_url) as connection:
            found = connection.execute("SELECT customer_id FROM lookups.customer_360 LIMIT %s", (CUSTOMERS,)).fetchall()
        customers = [str(row[0]) for row in found]
        pids = {"publisher": [publisher.pid], "worker": [each.pid for each in workers], SERVER: [command.pid for _, command in serving]}
        meter = parts.meter(**pids)
        reads = [(_reads(ports[:1], customers, meter), _reads(ports, customers, meter)) for _ in range(ROUNDS)]
        began = meter.read()
        seen = _seen(ports[0], customers)
        busy = cores(began, meter.read())
        needed = [*memory(pids), *connections(parts.server, {"publish": 1, "work": len(workers), "serve": len(serving)})]
        taken = room(parts.log_url, parts.broker.place.folder.rglob(f"{parts.cluster('round0').events}-*"), serving[0][1].data)
    at = f"command → visible at {COMMANDS_PER_SECOND:.0f} commands/s"
    one, two = (_middle(each) for each in zip(*reads, strict=True))
    return [
        Figure(f"customer 360 by id, {CLIENTS} clients, two servers", two[0], "/s", "one server", one[0]),
        _busy(two[1]),
        Figure("  answers in a CPU second of two servers", two[0] / two[1][SERVER], "", "of one", one[0] / one[1][SERVER]),
        Figure(f"{at}, p50", quantile(seen, 0.5), "ms", goal="≤ 50 ms"),
        Figure(f"{at}, p99", quantile(seen, 0.99), "ms", goal="≤ 250 ms"),
        _busy(busy),
        *needed,
        *taken,
    ]


def _reads(ports: Sequence[int], customers: Sequence[str], meter: Meter) -> Measured:
    requests = cycle([load.request("GET", f"/v1/customers/{customer}") for customer in customers])
    began = meter.read()
    done = load.spread(ports, CLIENTS, READ_SECONDS, requests)
    if done.refused:
        raise RuntimeError(f"{done.refused} requests were refused")
    return done.per_second, cores(began, meter.read())


def _seen(port: int, customers: Sequence[str]) -> list[float]:
    """Milliseconds from receipts to the answers of reads that show them."""
    pipeline = servers.command(port, "define_pipeline", {"name": "Other", "stages": [{"name": "Lead"}, {"name": "Won", "status": "won"}]})
    deal = {"pipeline_id": pipeline["stream_id"], "name": "Machines", "owner_id": "ana", "amount": "1200.50"}
    opens = [
        load.request("POST", "/v1/commands/open_opportunity", json.dumps({"customer_id": customer, **deal}).encode())
        for customer in customers
    ]
    paths = [f"/v1/customers/{customer}" for customer in customers]
    return load.read_own_writes(port, opens, paths, writers=8, per_second=COMMANDS_PER_SECOND, seconds=SECONDS)
