"""What was imported comes out of the read models as `data/README.md` says: funnel, satisfaction, service."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from bus.log import Log
from domain.envelope import StoredEvent
from projections.catalogue import FOLDS, layouts
from projections.engine import Engine
from projections.fold import Home
from projections.homes import FactTables, LookupTables
from projections.versions import start
from readmodels import funnel, satisfaction, waterfall
from readmodels.asking import asked
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore
from replay.rebuild import verify
from tests.api.imports.importing import Books, History
from tests.projections.tables import cells, engines

LIVE = 5_000


@dataclass
class Figures:
    """The books with everything imported, and folded."""

    books: Books
    engines: list[Engine]
    facts: FactStore

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        return self.facts.query(query)


class Shown:
    """The log as far as it is shown."""

    def __init__(self, log: Log) -> None:
        self.upto = 0
        self._log = log
        self.wait, self.arrow = log.wait, log.arrow

    def head(self) -> int:
        return self.upto

    def read(self, after: int, limit: int) -> list[StoredEvent]:
        return self._log.read(after, min(limit, self.upto - after))


@pytest.fixture(scope="module")
def figures(history: History) -> Iterator[Figures]:
    """The beginning of each import is folded as it would be live (batch by batch, in Python), the rest of it in bulk."""
    log = Shown(history.books.log)
    with ExitStack() as closing:
        facts = FactStore(None, layouts(Home.FACTS), threads=1)
        closing.callback(facts.close)
        lookups = LookupStore.sqlite(history.books.folder / "lookups.db", layouts(Home.LOOKUPS))
        closing.callback(lookups.close)
        homes = (LookupTables(lookups), FactTables(facts))
        live = [Engine(tables, FOLDS, log, bulk_lag=10**9) for tables in homes]
        bulk = [Engine(tables, FOLDS, log, bulk_lag=0) for tables in homes]
        start(log, live)
        for summary in history.first.values():
            for engines, more in ((live, LIVE), (bulk, summary.events - LIVE)):
                log.upto += more
                for engine in engines:
                    engine.catch_up()
        assert log.upto == history.books.log.head()
        yield Figures(history.books, live, facts)


def ask(figures: Figures, **question: Any) -> funnel.Funnel:
    with asked(figures.facts) as facts:
        (answer,) = funnel.funnels(facts, funnel.Question(**question))
    return answer


def test_the_funnel_has_every_deal_where_it_is(figures: Figures) -> None:
    answer = ask(figures)
    now = {stage.stage: stage.now_in for stage in answer.stages}
    assert now == {"Won": 4238, "Lost": 2473, "Engaging": 1589, "Prospecting": 500}
    (total,) = answer.totals
    assert round(100 * (total.win_rate or 0), 2) == 63.15
    assert total.won_value == Decimal(10_005_534)
    engaging = next(stage for stage in answer.stages if stage.stage == "Engaging")
    assert (engaging.visited, engaging.median_days) == (8300, 45)


def test_days_of_won_and_lost_deals_are_apart(figures: Figures) -> None:
    engaging = {stage.group: stage.median_days for stage in ask(figures, by=funnel.By.OUTCOME).stages if stage.stage == "Engaging"}
    assert (engaging["won"], engaging["lost"]) == (57, 14)


def test_what_was_won_is_right_by_quarter_and_region(figures: Figures) -> None:
    year = {"view": funnel.View.ACTIVITY, "since": date(2017, 1, 1), "until": date(2018, 1, 1)}
    quarters = {total.group: (total.won, total.won_value) for total in ask(figures, by=funnel.By.QUARTER, **year).totals}
    assert quarters == {
        "2017-Q1": (531, 1_134_672),
        "2017-Q2": (1254, 3_086_111),
        "2017-Q3": (1257, 2_982_255),
        "2017-Q4": (1196, 2_802_496),
    }
    regions = {total.group: (total.won, total.won_value) for total in ask(figures, by=funnel.By.TEAM).totals}
    assert regions == {"Central": (1629, 3_346_293), "East": (1171, 3_090_594), "West": (1438, 3_568_647)}
    owners = {total.group: total.won_value for total in ask(figures, by=funnel.By.OWNER).totals}
    assert max(owners.items(), key=lambda each: each[1]) == ("darcel.schlecht", 1_153_214)


def test_the_pipeline_of_each_quarter_reconciles_with_what_was_won(figures: Figures) -> None:
    begins = [datetime(2017, month, 1, tzinfo=UTC) for month in (1, 4, 7, 10)] + [datetime(2018, 1, 1, tzinfo=UTC)]
    won: list[tuple[int, Decimal]] = []
    closing = Decimal(0)
    with asked(figures.facts) as facts:
        for since, until in pairwise(begins):
            question = waterfall.Question(since=since, until=until)
            (total,) = waterfall.waterfalls(facts, question)
            bars = {step.bar: step for step in total.steps}
            assert sum(step.value for step in total.steps[:-1]) == total.steps[-1].value
            if won:
                assert bars[waterfall.Bar.OPENING].value == closing
            closing = bars[waterfall.Bar.CLOSING].value
            won.append((bars[waterfall.Bar.WON].times, -bars[waterfall.Bar.WON].value))
            for by in (waterfall.By.OWNER, waterfall.By.TEAM, waterfall.By.PIPELINE):
                groups = waterfall.waterfalls(facts, replace(question, by=by))
                for place, step in enumerate(total.steps):
                    assert sum(group.steps[place].value for group in groups) == step.value, (by, step.bar)
    assert won == [(531, 1_134_672), (1254, 3_086_111), (1257, 2_982_255), (1196, 2_802_496)]


def test_requests_last_as_long_as_the_log_says(figures: Figures) -> None:
    assert figures.sql("SELECT count(*) FROM requests") == [(4580,)]
    ((days,),) = figures.sql("SELECT median(epoch(last_event_at) - epoch(opened_at)) / 86400 FROM requests")
    assert round(days, 3) == 39.859
    named = figures.sql("SELECT activity, count(*), count(DISTINCT request_id) FROM request_marks WHERE activity IS NOT NULL GROUP BY ALL")
    assert sum(events for _, events, _ in named) == 21_348
    assert len(named) == 14
    assert ("Closed", 4574, 4559) in named
    assert ("Wait", 1463, 1236) in named


def test_requests_reopened_after_closing_are_right(figures: Figures) -> None:
    reopened = figures.sql(
        "SELECT r.external_id FROM requests r JOIN request_marks m USING (request_id)"
        " WHERE m.type = 'request.reopened' AND m.previous_status = 'closed' ORDER BY ALL"
    )
    assert reopened == [("Case192",), ("Case2436",)]


def test_reviews_give_the_satisfaction_of_the_file(figures: Figures) -> None:
    with asked(figures.facts) as facts:
        (group,) = satisfaction.satisfaction(facts, satisfaction.Question()).groups
    assert group.distribution == {1: 355, 2: 98, 3: 247, 4: 576, 5: 1717}
    assert (group.answers, round(group.mean or 0, 4)) == (2993, 4.0698)
    assert round(group.figure or 0, 4) == round(100 * (576 + 1717) / 2993, 4)
    assert figures.sql("SELECT count(*) FROM interactions") == [(3000,)]


def test_folding_again_in_bulk_gives_the_same_rows_as_live(figures: Figures) -> None:
    compared = verify(figures.books.log, figures.engines)
    assert {each.fold: each.rows_apart for each in compared if each.rows_apart} == {}
    assert len(compared) >= len(FOLDS)


def test_postgresql_lookups_have_the_same_rows(figures: Figures, postgres_url: str) -> None:
    log = figures.books.log
    with engines(log, lookups_url=postgres_url) as made:
        there = made[0]
        start(log, [there])
        here = figures.engines[0]
        assert there.position == here.position == log.head()
        for fold in here.plans:
            assert cells(there, fold) == cells(here, fold)
