"""Explaining a bar of the funnel down to the events, and a cell of a customer: beside the funnel that shows the bar."""

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import open_daybook
from bench.copies import history
from bench.figures import Figure

EVENTS = 1_000_000
ASKED = 9
"""How often each question is asked; the median counts."""


def measure(folder: Path) -> list[Figure]:
    """Milliseconds for a whole answer over HTTP."""
    settings = Settings(data=folder / "explained")
    events = history(settings, EVENTS)
    with open_daybook(settings) as daybook, TestClient(create_app(daybook)) as http:
        return figures_of(http, events)


def figures_of(http: TestClient, events: int) -> list[Figure]:
    """The figures of one Daybook."""
    pipeline = max(_got(http, "/v1/funnel")["funnels"], key=lambda each: each["stages"][0]["reached"])
    bar = {"pipeline": pipeline["pipeline_id"], "stage": pipeline["stages"][0]["stage"], "number": "value"}
    explained = _got(http, "/v1/explain/funnel", **bar)
    if not explained["agrees"]:
        raise RuntimeError(f"{explained['rows']} deals come to {explained['comes_to']}, the funnel shows {explained['shown']}")
    customer = explained["items"][0]["customer_id"]
    funnel = _milliseconds(http, "/v1/funnel", pipeline=pipeline["pipeline_id"])
    of_bar = _milliseconds(http, "/v1/explain/funnel", **bar)
    of_cell = _milliseconds(http, f"/v1/explain/customer_360/{customer}/won_revenue")
    against = "the funnel itself"
    return [
        Figure(f"explain a funnel bar of {explained['rows']:,} deals, {events:,} events", of_bar, "ms", against, funnel, "≤ 500 ms"),
        Figure("explain a customer's won revenue", of_cell, "ms", against, funnel),
    ]


def _milliseconds(http: TestClient, path: str, **asked: Any) -> float:
    taken: list[float] = []
    for _ in range(ASKED):
        started = perf_counter()
        _got(http, path, **asked)
        taken.append((perf_counter() - started) * 1000)
    return median(taken)


def _got(http: TestClient, path: str, **asked: Any) -> Any:
    answer = http.get(path, params=asked)
    answer.raise_for_status()
    return answer.json()
