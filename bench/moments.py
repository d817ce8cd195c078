"""Figures and a customer as of random moments, beside the same answers written by hand in SQL over the files of the archive."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, TypeVar
from uuid import UUID

import duckdb
from starlette.testclient import TestClient

from api.app import create_app
from api.folder import Folder
from api.settings import Settings
from api.wiring import Daybook, open_daybook
from bench.by_hand import BY_HAND, TOLD, alike
from bench.copies import history
from bench.figures import Figure

Answer = TypeVar("Answer")
EVENTS = 1_000_000
ASKED = 7
"""How often each question is asked, each time of another moment; the median counts."""

GOALS: Final = {"funnel": "≤ 500 ms, ≤ 3 ×", "satisfaction": "≤ 500 ms, ≤ 3 ×", "waterfall": "≤ 1,000 ms, ≤ 3 ×"}


def measure(folder: Path) -> list[Figure]:
    """Milliseconds for a whole answer over HTTP, as of a moment that nobody has asked for before."""
    settings = Settings(data=folder / "past")
    history(settings, EVENTS)
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http:
        for _written in daybook.archive.keep_up(short=True):
            pass
        return figures_of(daybook, http, Folder(settings.data).archive)


def figures_of(daybook: Daybook, http: TestClient, files: Path) -> list[Figure]:
    """The figures of one Daybook."""
    chance = random.Random(7)
    [(first, last)] = daybook.tables.facts.query("SELECT min(occurred_at), max(occurred_at) FROM timeline")
    customers = [row[0] for row in daybook.tables.facts.query("SELECT customer_id FROM customers ORDER BY ALL")]

    def moment() -> datetime:
        return (first + (last - first) * chance.uniform(0.3, 1)).replace(tzinfo=UTC)

    since = first + (last - first) / 2
    head = f"{daybook.books.log.head():,} events"
    figures: list[Figure] = []
    for name, by_hand in BY_HAND.items():
        times: list[tuple[float, float]] = []
        for at in [moment() for _ in range(ASKED)]:
            given = {"as_of": at.isoformat(), **({"since": f"{since:%Y-%m-%d}"} if name == "waterfall" else {})}
            mine, answer = _timed(lambda given=given: http.get(f"/v1/{name}", params=given).raise_for_status().json())  # noqa: B023 - called at once
            hand, rows = _by_hand(by_hand, files, at, since)
            if not alike(TOLD[name](answer), rows):
                raise AssertionError(f"{name} as of {at} is not what is written by hand")
            times.append((mine, hand))
        mine, hand = (median(column) for column in zip(*times, strict=True))
        figures.append(Figure(f"{name} as of a random moment, {head}", mine, "ms", "by hand in SQL", hand, GOALS[name]))
    one = median(_timed(lambda: _customer(http, chance.choice(customers), moment()))[0] for _ in range(5 * ASKED))
    return [*figures, Figure(f"customer 360 as of a random moment, {head}", one, "ms", goal="≤ 50 ms")]


def _customer(http: TestClient, customer: UUID, moment: datetime) -> None:
    answer = http.get(f"/v1/customers/{customer}", params={"as_of": moment.isoformat()})
    if answer.status_code not in (200, 404):  # 404: not there yet
        answer.raise_for_status()


def _by_hand(statements: Sequence[str], files: Path, moment: datetime, since: datetime) -> tuple[float, list[tuple[Any, ...]]]:
    """Milliseconds and the rows of all statements."""
    seen = f"occurred_at <= TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"
    filled = [sql.format(files=files, seen=seen, since=f"{since:%Y-%m-%d}") for sql in statements]
    with duckdb.connect() as connection:
        return _timed(
            lambda: [row for sql in filled for row in connection.execute(sql).fetchall() if not sql.lstrip().startswith("CREATE")]
        )


def _timed(work: Callable[[], Answer]) -> tuple[float, Answer]:
    """Milliseconds, and what came of it."""
    started = perf_counter()
    answer = work()
    return (perf_counter() - started) * 1000, answer
