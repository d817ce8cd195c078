"""A moment's read models are those of its events: by either clock, whole or around one customer, kept or folded anew."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
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
from projections.shapes import BadFold
from readmodels import customers, funnel, satisfaction
from readmodels.around import gone_from, records_of
from readmodels.asking import LookupReader, asked
from readmodels.customers import CustomerReader
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore
from replay import past as replaying
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
        return _sorted({name: facts.rows(f"SELECT * FROM {name}", {}) for name in FACTS})


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


@pytest.mark.parametrize("by", funnel.By)
@pytest.mark.parametrize("view", funnel.View)
def test_a_funnel_needs_no_more_than_it_says(firm: Company, view: funnel.View, by: funnel.By) -> None:
    question = funnel.Question(
        view=view, by=by, product="x" if by is funnel.By.OWNER else None, segment="y" if by is funnel.By.TEAM else None
    )
    with (
        closing(Pasts(History(firm.books.log))) as pasts,
        pasts.facts(Moment(as_of=LATER), funnel.needs(question)) as store,
        asked(store) as then,
        firm.facts() as now,
    ):
        assert funnel.funnels(then, question) == funnel.funnels(now, question)


@pytest.mark.parametrize("by", satisfaction.By)
@pytest.mark.parametrize("survey", satisfaction.Survey)
def test_satisfaction_needs_no_more_than_it_says(firm: Company, survey: satisfaction.Survey, by: satisfaction.By) -> None:
    question = satisfaction.Question(survey=survey, by=by, segment="y" if by is satisfaction.By.TEAM else None)
    with (
        closing(Pasts(History(firm.books.log))) as pasts,
        pasts.facts(Moment(as_of=LATER), satisfaction.needs(question)) as store,
        asked(store) as then,
        firm.facts() as now,
    ):
        assert satisfaction.satisfaction(then, question) == satisfaction.satisfaction(now, question)


def test_a_failure_is_told_and_what_is_mended_answers(firm: Company) -> None:
    with closing(Pasts(History(firm.books.log))) as pasts, pytest.raises(BadFold), pasts.facts(Moment(), {"surveys": ["weather"]}):
        pass
