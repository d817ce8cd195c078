"""A moment's read models are those of its events: by either clock, whole or around one customer, kept or folded anew."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from domain.errors import NotFound
from projections.build import BuildFailed
from projections.catalogue import FOLDS, layouts
from projections.engine import Engine
from projections.fold import Home
from projections.history import History
from projections.homes import FactTables
from projections.plan import plans
from projections.shapes import BadFold
from readmodels import customers, funnel, satisfaction, waterfall
from readmodels.around import gone_from, records_of
from readmodels.asking import LookupReader, asked
from readmodels.customers import CustomerReader
from readmodels.facts import FactStore, QueryRefused
from readmodels.lookups import LookupStore
from replay import past as replaying
from replay.archive.archive import Archive
from replay.excerpts import Excerpts
from replay.moments import Moment
from replay.past import PastFacts, PastLookups, Pasts, whole
from tests.commands.orders import order
from tests.projections.feed import MemoryFeed, wild_history
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import ext
from tests.readmodels.test_customers import story

FACTS = [fold.name for fold in FOLDS if Home.FACTS in fold.homes]
LOOKUPS = [fold.name for fold in FOLDS if Home.LOOKUPS in fold.homes]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def instants(feed: MemoryFeed) -> list[datetime]:
    return sorted(datetime.fromisoformat(event.occurred_at) for event in feed.events)


def moments(feed: MemoryFeed, chance: random.Random) -> Moment:
    as_of, known_at = (chance.choice([None, *instants(feed)]) for _ in range(2))
    return Moment(as_of, known_at)


def facts_of(store: FactStore) -> dict[str, list[Any]]:
    with asked(store) as facts:
        return _sorted({name: facts.rows(f"SELECT * FROM {name}", {}) for name in store.layouts})


def lookups_of(store: LookupStore) -> dict[str, list[Any]]:
    with LookupReader(store).snapshot() as lookups:
        return _sorted({name: lookups.rows(select(lookups.table(name))) for name in LOOKUPS})


def _sorted(tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: sorted(rows, key=repr) for name, rows in tables.items()}


def expected(feed: MemoryFeed, moment: Moment) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """What the Python evaluator makes of the events of the moment, and of no others."""
    only = MemoryFeed()
    only.add([event for event in feed.events if moment.sees(event)])
    with closing(Excerpts()) as every:
        with every.facts(FACTS, only.events, only.head()) as facts:
            told = {name: facts.rows(f"SELECT * FROM {name}", {}) for name in FACTS}
        with every.lookups(LOOKUPS, only.events, only.head()) as lookups:
            kept = {name: lookups.rows(select(lookups.table(name))) for name in LOOKUPS}
    return _sorted(told), _sorted(kept)


@contextmanager
def both(moment: Moment, history: History) -> Iterator[tuple[PastFacts, PastLookups]]:
    with closing(PastFacts(moment, history, whole(FACTS))) as facts, closing(PastLookups(moment, history, whole(LOOKUPS))) as lookups:
        yield facts, lookups


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_a_moment_is_folded_from_its_events_alone(seed: int) -> None:
    feed = MemoryFeed()
    feed.add(wild_history(seed, 150))
    moment = moments(feed, random.Random(seed))
    with both(moment, History(feed)) as (facts, lookups):
        facts.fold()
        lookups.fold()
        assert (facts_of(facts.tables.store), lookups_of(lookups.tables.store)) == expected(feed, moment)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_what_is_kept_takes_what_was_learnt_since(seed: int) -> None:
    feed = MemoryFeed()
    feed.add(wild_history(seed, 80))
    moment = moments(feed, random.Random(seed))
    with both(moment, History(feed)) as (facts, lookups):
        facts.fold()
        lookups.fold()
        feed.add(wild_history(seed + 1, 60, after=feed.head()))
        facts.fold()
        lookups.fold()
        assert (facts_of(facts.tables.store), lookups_of(lookups.tables.store)) == expected(feed, moment)


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_some_columns_alone_are_what_their_events_make_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    events = wild_history(seed, 150)
    feed, later = MemoryFeed(), MemoryFeed()
    feed.add(events)
    moment = moments(feed, chance)
    shown = {
        plan.name: [name for name in plan.layout_in(Home.FACTS).shown if name not in plan.fold.key] for plan in plans(FOLDS, Home.FACTS)
    }
    needs = {name: chance.sample(columns, chance.randint(1, min(5, len(columns)))) for name, columns in shown.items()}
    with closing(PastFacts(moment, History(feed), needs)) as at_once, closing(PastFacts(moment, History(later), needs)) as one_by_one:
        at_once.fold()
        one_by_one.fold()
        later.add(events)
        one_by_one.fold()
        assert facts_of(at_once.tables.store) == facts_of(one_by_one.tables.store)


def test_facts_of_a_moment_are_shut_off_from_the_files_that_they_came_from(tmp_path: Path) -> None:
    feed = MemoryFeed()
    feed.add(wild_history(4, 80))
    archive = Archive(tmp_path, feed)
    assert list(archive.keep_up(short=True))
    file = next(tmp_path.rglob("*.parquet"))
    with closing(Pasts(History(feed, archive))) as pasts, pasts.facts(Moment(as_of=LATER), whole(FACTS)) as facts:
        assert facts.query("SELECT count(*) > 0 FROM timeline") == [(True,)]
        for refused in (f"SELECT * FROM '{file}'", f"SELECT * FROM read_parquet('{file}')", f"SELECT * FROM glob('{tmp_path}/*')"):
            with pytest.raises(QueryRefused):
                facts.select(refused, seconds=5, rows=5)
        for setting in ("enable_external_access = true", "enable_external_file_cache = true", "lock_configuration = false"):
            with facts.cursor() as cursor, pytest.raises(duckdb.InvalidInputException):
                cursor.execute(f"SET {setting}")
        assert facts.query("SELECT * FROM duckdb_external_file_cache()") == []
        assert str(tmp_path) not in str(facts.query("SELECT sql FROM duckdb_views() UNION ALL SELECT sql FROM duckdb_tables()"))


def test_the_moments_asked_last_are_kept_and_the_others_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "KEPT", 2)
    feed = MemoryFeed()
    feed.add(wild_history(3, 50))
    asked_for = [Moment(as_of=instant) for instant in instants(feed)[:4]]
    with closing(Pasts(History(feed))) as pasts:
        with pasts.facts(asked_for[0], whole(["opportunities"])) as held:
            for moment in asked_for[1:]:
                with pasts.facts(moment, whole(["opportunities"])):
                    pass
            assert held.query("SELECT count(*) >= 0 FROM opportunities") == [(True,)]
        with pasts.facts(asked_for[3], whole(["opportunities"])) as again:
            kept = again
        with pasts.facts(asked_for[3], whole(["opportunities"])) as again:
            assert again is kept
        with pytest.raises(duckdb.ConnectionException):
            held.query("SELECT 1")


def test_one_that_lags_far_behind_is_folded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "BULK_LAG", 20)
    feed = MemoryFeed()
    feed.add(wild_history(5, 50))
    moment = Moment(as_of=LATER)
    with closing(Pasts(History(feed))) as pasts:
        with pasts.facts(moment, whole(["surveys"])) as before:
            pass
        feed.add(wild_history(6, 50, after=feed.head()))
        with pasts.facts(moment, whole(["surveys"])) as after:
            assert after is not before
            engine = Engine(FactTables(FactStore(None, layouts(Home.FACTS))), FOLDS, feed)
            assert engine.position == 0
            assert after.query("SELECT min(position) FROM folds") == [(feed.head(),)]


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    stages = [{"name": "Lead"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    with company() as opened:
        opened.give(order("define_pipeline", pipeline_id=ext("pipe"), name="Pipe", stages=stages))
        for seed in range(3):
            opened.try_all(story(random.Random(seed), f"c{seed}"))
        opened.give(order("move_contact", contact_id=ext("c0-3"), customer_id=ext("c1")))
        yield opened


def test_one_customer_is_the_same_from_its_own_events_as_from_all(firm: Company) -> None:
    chance = random.Random(1)
    of_all = sorted({event.occurred_at for event in firm.events} | {event.recorded_at for event in firm.events})
    ids = {event.data["customer_id"] for event in firm.events if event.type == "customer.registered"}
    reader = CustomerReader(firm.lookup_store.table)
    with closing(Pasts(History(firm.books.log))) as pasts, closing(Excerpts()) as excerpts:
        for _ in range(10):
            moment = Moment(*(datetime.fromisoformat(chance.choice(of_all)) if chance.random() < 0.7 else None for _ in range(2)))
            for customer_id in ids:
                with firm.facts() as facts, firm.lookups() as today:
                    streams = {customer_id} | records_of(today, [customer_id]) | gone_from(facts, [customer_id])
                found = sorted(firm.books.log.read_streams(sorted(streams), firm.books.log.head()), key=lambda event: event.position)
                events = [event for event in found if moment.sees(event)]
                with pasts.lookups(moment, whole(customers.FOLDS)) as every:
                    wide = _answer(firm, reader, every, customer_id)
                with excerpts.lookups(customers.FOLDS, events, firm.books.log.head()) as own:
                    assert _answer(firm, reader, own, customer_id) == wide


def _answer(firm: Company, reader: CustomerReader, lookups: Any, customer_id: str) -> object:
    try:
        return reader.customer(lookups, customer_id, decrypt=firm.books.vault.decrypt_all, now=LATER)
    except NotFound as error:
        return error.code


def test_an_excerpt_leaves_nothing_behind(firm: Company) -> None:
    events = firm.events
    with closing(Excerpts()) as excerpts:
        for _ in range(2):
            with excerpts.facts(FACTS, events, firm.books.log.head()) as facts:
                assert facts.rows("SELECT count(*) AS n FROM timeline", {}) == [{"n": len([e for e in events if "customer_id" in e.data])}]
                assert facts.position(*FACTS) == firm.books.log.head()
            with excerpts.facts(FACTS, [], 0) as facts:
                assert facts.rows("SELECT count(*) AS n FROM timeline", {}) == [{"n": 0}]
        with pytest.raises(BuildFailed) as failure, excerpts.lookups(LOOKUPS, [replace(events[-1], data={})], 1):
            pass
        assert failure.value.code == "fold.failed"


def test_now_is_what_serves(firm: Company) -> None:
    with both(Moment(as_of=LATER), History(firm.books.log)) as (facts, lookups):
        facts.fold()
        lookups.fold()
        assert facts_of(facts.tables.store) == facts_of(firm.fact_store)
        assert lookups_of(lookups.tables.store) == lookups_of(firm.lookup_store)
        with asked(facts.tables.store) as snapshot:
            assert snapshot.position(*FACTS) == firm.books.log.head()


FUNNEL_FILTERS: list[dict[str, Any]] = [{}, {"product": "x"}, {"segment": "y"}, {"owner_id": "o"}, {"team": "t"}, {"source": "s"}]


@pytest.mark.parametrize(("by", "narrow"), [*((by, {}) for by in funnel.By), *((funnel.By.NOTHING, narrow) for narrow in FUNNEL_FILTERS)])
@pytest.mark.parametrize("view", funnel.View)
def test_a_funnel_needs_no_more_than_it_says(firm: Company, view: funnel.View, by: funnel.By, narrow: dict[str, Any]) -> None:
    question = funnel.Question(view=view, by=by, **narrow)
    with (
        closing(Pasts(History(firm.books.log))) as pasts,
        pasts.facts(Moment(as_of=LATER), funnel.needs(question)) as store,
        asked(store) as then,
        firm.facts() as now,
    ):
        assert funnel.funnels(then, question) == funnel.funnels(now, question)


ABOUT = ("agent", "team", "category", "channel", "product", "segment")


@pytest.mark.parametrize(
    ("by", "narrow"), [*((by, {}) for by in satisfaction.By), *((satisfaction.By.NOTHING, {name: "y"}) for name in ABOUT)]
)
@pytest.mark.parametrize("survey", satisfaction.Survey)
def test_satisfaction_needs_no_more_than_it_says(
    firm: Company, survey: satisfaction.Survey, by: satisfaction.By, narrow: dict[str, Any]
) -> None:
    question = satisfaction.Question(survey=survey, by=by, **narrow)
    with (
        closing(Pasts(History(firm.books.log))) as pasts,
        pasts.facts(Moment(as_of=LATER), satisfaction.needs(question)) as store,
        asked(store) as then,
        firm.facts() as now,
    ):
        assert satisfaction.satisfaction(then, question) == satisfaction.satisfaction(now, question)


WATERFALL_FILTERS: list[dict[str, Any]] = [
    {},
    {"owner_id": "o"},
    {"team": "t"},
    {"closing_from": date(2020, 1, 1), "closing_until": date(2030, 1, 1)},
]


@pytest.mark.parametrize("by", waterfall.By)
@pytest.mark.parametrize("narrow", WATERFALL_FILTERS)
@pytest.mark.parametrize("clock", waterfall.Clock)
def test_a_waterfall_needs_no_more_than_it_says(firm: Company, by: waterfall.By, narrow: dict[str, Any], clock: waterfall.Clock) -> None:
    every = sorted(event.recorded_at if clock is waterfall.Clock.RECORDED else event.occurred_at for event in firm.events)
    question = waterfall.Question(since=datetime.fromisoformat(every[len(every) // 2]), by=by, clock=clock, **narrow)
    with closing(Pasts(History(firm.books.log))) as pasts, firm.facts() as now:
        with pasts.facts(Moment(as_of=LATER), waterfall.needs(question)) as store, asked(store) as then:
            assert waterfall.waterfalls(then, question) == waterfall.waterfalls(now, question)
        with pasts.facts(Moment(as_of=LATER), waterfall.needs_of_deals(question)) as store, asked(store) as then:
            for bar in (waterfall.Bar.NEW, waterfall.Bar.CLOSING):
                assert waterfall.deals_behind(then, question, bar) == waterfall.deals_behind(now, question, bar)


def test_a_failure_is_told_and_what_is_mended_answers(firm: Company) -> None:
    with closing(Pasts(History(firm.books.log))) as pasts, pytest.raises(BadFold), pasts.facts(Moment(), {"surveys": ["weather"]}):
        pass
