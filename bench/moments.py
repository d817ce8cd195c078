"""Figures and a customer as of random moments, beside the same figures written by hand in SQL over the files of the archive."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import duckdb
from starlette.testclient import TestClient

from api.app import create_app
from api.folder import Folder
from api.settings import Settings
from api.wiring import Daybook, open_daybook
from bench.copies import history
from bench.figures import Figure
from replay.archive.archive import Archive

EVENTS = 1_000_000
ASKED = 7
"""How often each question is asked, each time of another moment; the median counts."""

BY_HAND: Final = {
    "funnel": """
        WITH moves AS (
            SELECT opportunity_id, stage, base_amount, occurred_at, position FROM read_parquet('{files}/opportunity.opened/*') WHERE {seen}
            UNION ALL BY NAME SELECT opportunity_id, to_stage AS stage, base_amount, occurred_at, position
            FROM read_parquet(['{files}/opportunity.stage_changed/*', '{files}/opportunity.won/*', '{files}/opportunity.lost/*',
                               '{files}/opportunity.reopened/*'], union_by_name = true) WHERE {seen}
        ), visits AS (
            SELECT *, lead(occurred_at) OVER deal AS left_at, row_number() OVER (PARTITION BY opportunity_id ORDER BY position DESC) AS last
            FROM moves WINDOW deal AS (PARTITION BY opportunity_id ORDER BY position)
        ), stays AS (
            SELECT opportunity_id, stage, sum(date_diff('microsecond', occurred_at, left_at)) AS stayed, max(base_amount) AS worth,
                   bool_or(last = 1) AS here
            FROM visits GROUP BY ALL
        )
        SELECT stage, count(*) AS visited, sum(worth) AS value, count(*) FILTER (here) AS now_in, median(stayed), quantile_cont(stayed, 0.9)
        FROM stays GROUP BY stage
    """,
    "satisfaction": """
        WITH amended AS (
            SELECT survey_id, arg_max(score, position) AS score FROM read_parquet('{files}/survey.answer_amended/*') WHERE {seen} GROUP BY 1
        )
        SELECT kind, count(*), avg(coalesce(amended.score, answered.score)),
               count(*) FILTER (coalesce(amended.score, answered.score) >= 4) / count(*), histogram(coalesce(amended.score, answered.score))
        FROM read_parquet('{files}/survey.answered/*') AS answered LEFT JOIN amended USING (survey_id) WHERE {seen} GROUP BY kind
    """,
    "waterfall": """
        WITH changes AS (
            SELECT opportunity_id, position, occurred_at, base_amount, TRUE AS opened, 'open' AS status
            FROM read_parquet('{files}/opportunity.opened/*') WHERE {seen}
            UNION ALL SELECT opportunity_id, position, occurred_at, base_amount, FALSE, status
            FROM read_parquet('{files}/opportunity.amount_changed/*') WHERE {seen}
            UNION ALL SELECT opportunity_id, position, occurred_at, base_amount, FALSE, 'won' FROM read_parquet('{files}/opportunity.won/*') WHERE {seen}
            UNION ALL SELECT opportunity_id, position, occurred_at, base_amount, FALSE, 'lost' FROM read_parquet('{files}/opportunity.lost/*') WHERE {seen}
            UNION ALL SELECT opportunity_id, position, occurred_at, base_amount, FALSE, 'open' FROM read_parquet('{files}/opportunity.reopened/*')
            WHERE {seen}
        ), ordered AS (
            SELECT *, lag(base_amount) OVER deal AS was, lag(status) OVER deal AS before FROM changes
            WINDOW deal AS (PARTITION BY opportunity_id ORDER BY position)
        )
        SELECT CASE WHEN opened THEN 'new' WHEN before = 'open' AND status <> 'open' THEN status WHEN before <> 'open' AND status = 'open' THEN 'reopened'
                    WHEN base_amount > was THEN 'up' ELSE 'down' END AS bar, count(*), sum(base_amount - coalesce(was, 0)), sum(base_amount)
        FROM ordered WHERE occurred_at >= TIMESTAMP '{since}' GROUP BY bar
    """,
}
"""What each figure comes down to, as somebody would write it who knows the events."""
GOALS: Final = {"funnel": "≤ 500 ms, ≤ 3 ×", "satisfaction": "≤ 500 ms, ≤ 3 ×", "waterfall": "≤ 1,000 ms, ≤ 3 ×"}


def measure(folder: Path) -> list[Figure]:
    """Milliseconds for a whole answer over HTTP, as of a moment that nobody has asked for before."""
    settings = Settings(data=folder / "past")
    history(settings, EVENTS)
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http:
        for _written in Archive(Folder(settings.data).archive, daybook.books.log).keep_up(short=True):
            pass
        return figures_of(daybook, http, Folder(settings.data).archive)


def figures_of(daybook: Daybook, http: TestClient, files: Path) -> list[Figure]:
    """The figures of one Daybook."""
    chance = random.Random(7)
    [(first, last)] = daybook.tables.facts.query("SELECT min(occurred_at), max(occurred_at) FROM timeline")
    customers = [row[0] for row in daybook.tables.facts.query("SELECT customer_id FROM customers ORDER BY ALL")]

    def moment() -> datetime:
        return (first + (last - first) * chance.uniform(0.3, 1)).replace(tzinfo=UTC)

    def asked(path: str, **given: Any) -> Callable[[], float]:
        return lambda: _milliseconds(lambda: _get(http, path, as_of=moment().isoformat(), **given))

    since = first + (last - first) / 2
    paths = {
        "funnel": asked("/v1/funnel"),
        "satisfaction": asked("/v1/satisfaction"),
        "waterfall": asked("/v1/waterfall", since=f"{since:%Y-%m-%d}"),
    }
    head = f"{daybook.books.log.head():,} events"
    figures: list[Figure] = []
    for name, ours in paths.items():
        theirs = lambda name=name: _by_hand(BY_HAND[name], files, moment(), since)  # noqa: E731 - a line of this loop
        pairs = [(ours(), theirs()) for _ in range(ASKED)]
        mine, hand = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
        figures.append(Figure(f"{name} as of a random moment, {head}", mine, "ms", "by hand in SQL", hand, GOALS[name]))
    one = median(_milliseconds(lambda: _customer(http, chance.choice(customers), moment())) for _ in range(5 * ASKED))
    return [*figures, Figure(f"customer 360 as of a random moment, {head}", one, "ms", goal="≤ 50 ms")]


def _customer(http: TestClient, customer: UUID, moment: datetime) -> None:
    answer = http.get(f"/v1/customers/{customer}", params={"as_of": moment.isoformat()})
    if answer.status_code not in (200, 404):  # 404: not there yet
        answer.raise_for_status()


def _by_hand(sql: str, files: Path, moment: datetime, since: datetime) -> float:
    seen = f"occurred_at <= TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"
    query = sql.format(files=files, seen=seen, since=f"{since:%Y-%m-%d}")
    with duckdb.connect() as connection:
        return _milliseconds(lambda: connection.execute(query).fetchall())


def _get(http: TestClient, path: str, **asked: Any) -> None:
    http.get(path, params=asked).raise_for_status()


def _milliseconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return (perf_counter() - started) * 1000
