"""The laws of folding, on histories without rhyme or reason over all event types."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalogue import EVENTS
from domain.envelope import StoredEvent
from projections.bulk import Bulk
from projections.catalogue import FOLDS
from projections.evaluate import combine, evaluate
from projections.plan import Plan, Rows, plan
from projections.rows import rows_of
from projections.sql import canonical
from projections.versions import start
from replay.rebuild import verify
from tests.conftest import SOAK
from tests.projections.feed import MemoryFeed, wild_history
from tests.projections.tables import at_the_beginning, cells, contents, engines

PLANS = [plan(fold) for fold in FOLDS]

SOME, FEW = (300, 100) if SOAK else (30, 8)
"""Examples of what takes longer: each folds all read models several times."""

histories = st.builds(wild_history, st.integers(0, 2**32), st.integers(0, 120), ids=st.integers(1, 4))


@contextmanager
def typed(events: Sequence[StoredEvent]) -> Iterator[tuple[duckdb.DuckDBPyConnection, frozenset[str]]]:
    table = MemoryFeed(events).arrow(0, 10**9).read_all()
    targets = [(made, made.lanes) for made in PLANS]
    with duckdb.connect(config={"threads": 1}) as connection, Bulk(connection, targets).typed(table) as types:
        yield connection, types


def in_sql(connection: duckdb.DuckDBPyConnection, types: frozenset[str], made: Plan) -> Rows:
    query = rows_of(made, made.lanes, types)
    if query is None:
        return {}
    width = len(made.layout.key)
    rows = connection.execute(canonical(made.layout, f"({query})")).fetchall()
    plain = [[tuple(cell) if isinstance(cell, list) else cell for cell in row] for row in rows]
    return {tuple(row[:width]): row[width:] for row in plain}


def put_together(made: Plan, parts: Sequence[Rows]) -> Rows:
    rows: Rows = {}
    for part in parts:
        for key, row in part.items():
            if key in rows:
                combine(made, rows[key], row)
            else:
                rows[key] = list(row)
    return rows


@given(histories)
@settings(max_examples=SOME)
def test_both_evaluators_make_the_same_rows(events: list[StoredEvent]) -> None:
    with typed(events) as (connection, types):
        for made in PLANS:
            assert in_sql(connection, types, made) == evaluate(made, events)


@given(histories, st.randoms(use_true_random=False))
def test_any_split_into_batches_combined_in_any_order_gives_the_same_rows(events: list[StoredEvent], chance: random.Random) -> None:
    cuts = sorted(chance.randrange(len(events) + 1) for _ in range(4))
    batches = [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    for made in PLANS:
        parts = [evaluate(made, batch) for batch in batches]
        chance.shuffle(parts)
        assert put_together(made, parts) == evaluate(made, events)


@given(histories)
def test_the_neutral_row_changes_nothing(events: list[StoredEvent]) -> None:
    for made in PLANS:
        if not made.fold.per_event:
            for row in evaluate(made, events).values():
                left, right = list(row), made.neutral()
                combine(made, left, made.neutral())
                combine(made, right, row)
                assert left == right == row


@given(histories)
@settings(max_examples=SOME)
def test_partial_rows_combine_alike_in_sql_and_in_python(events: list[StoredEvent]) -> None:
    half = len(events) // 2
    with typed(events[:half]) as (one, first), typed(events[half:]) as (other, second):
        for made in PLANS:
            assert put_together(made, [in_sql(one, first, made), in_sql(other, second, made)]) == evaluate(made, events)


@given(histories, st.randoms(use_true_random=False))
@settings(max_examples=FEW)
def test_live_in_any_batches_with_redelivery_equals_a_rebuild(events: list[StoredEvent], chance: random.Random) -> None:
    feed = MemoryFeed()
    with engines(feed) as live, engines(feed) as rebuilt:
        at_the_beginning(live)
        rest = list(events)
        while rest:
            size = chance.randrange(1, 40)
            feed.add(rest[:size])
            rest = rest[size:]
            for engine in live:
                engine._bulk_lag = chance.choice([0, 10**9])
                engine.catch_up()
                engine.advance()
        start(feed, rebuilt)
        assert [contents(engine) for engine in live] == [contents(engine) for engine in rebuilt]
        assert {each.rows_apart for each in verify(feed, live)} == {0}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bulk_lag", [0, 10**9])
def test_postgresql_holds_the_same_rows_as_sqlite(postgres_url: str, seed: int, bulk_lag: int) -> None:
    feed = MemoryFeed(wild_history(seed, 400))
    with engines(feed, bulk_lag=bulk_lag) as here, engines(feed, lookups_url=postgres_url, bulk_lag=bulk_lag) as there:
        if seed == 0:
            start(feed, here)
            start(feed, there)
        else:
            at_the_beginning(here)
            at_the_beginning(there)
            here[0].catch_up()
            there[0].catch_up()
        for fold in here[0].plans:
            assert cells(here[0], fold) == cells(there[0], fold)


def test_wild_histories_are_over_all_event_types() -> None:
    assert {event.type for event in wild_history(1, 2_000)} == {event.type for event in EVENTS}
