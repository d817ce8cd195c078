"""Explanations of cells: for any cell of any history the events behind it come to what it shows, now and as of any moment."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.envelope import StoredEvent
from domain.errors import NotFound
from projections.catalogue import FOLDS
from projections.evaluate import evaluate
from projections.fold import Home
from projections.history import History
from projections.plan import Plan, plan
from readmodels.asking import Facts, Lookups
from replay.explain.arithmetic import add_up
from replay.explain.cells import Cell, KeyMisspelled, cell, read_key, spell
from replay.explain.explaining import cell_in_facts, cell_in_lookups, explain_now, explain_past, page
from replay.explain.finding import Asked, Finder
from replay.explain.timelines import FactTimelines
from replay.moments import Moment
from tests.conftest import SOAK
from tests.projections.feed import EPOCH, MemoryFeed, wild_history
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import histories as deals

PLANS = [plan(fold) for fold in FOLDS]
NOW = Moment()
SOME = 100 if SOAK else 15


class WildFeed(MemoryFeed):
    """A feed whose events lie in streams that say nothing of their records; an explanation has to go through all of them."""

    def read_stream(self, stream_id: object) -> Sequence[StoredEvent]:
        raise AssertionError(f"nothing is known of stream {stream_id}")


moments = st.builds(
    lambda as_of, known_at: Moment(
        None if as_of is None else EPOCH + timedelta(seconds=as_of), None if known_at is None else EPOCH + timedelta(seconds=known_at)
    ),
    st.none() | st.integers(0, 10_000_000),
    st.none() | st.integers(0, 10_000_000),
)
chances = st.randoms(use_true_random=False)


def some_row(chance: random.Random, events: Sequence[StoredEvent]) -> tuple[Plan, tuple[object, ...], list[object]] | None:
    folded = [(made, rows) for made in PLANS if (rows := evaluate(made, events))]
    if not folded:
        return None
    made, rows = chance.choice(folded)
    key = chance.choice(sorted(rows))
    return made, key, rows[key]


@given(st.builds(wild_history, st.integers(0, 2**32), st.integers(1, 150), ids=st.integers(1, 3)), chances)
@settings(max_examples=SOME)
def test_every_cell_of_a_random_row_adds_up(events: list[StoredEvent], chance: random.Random) -> None:
    feed = WildFeed(events)
    found = some_row(chance, events)
    if found is None:
        return
    made, key, row = found
    finder = Finder(feed, History(feed))
    behind = finder.events(Asked(made, made.lanes, key, feed.head(), NOW))
    for column, shown in zip(made.layout.cells, row, strict=True):
        if not column.hidden:
            assert add_up(Cell(made, key, column.name), behind).value == shown
    column = chance.choice(list(made.fold.columns))
    place = [each.name for each in made.layout.cells].index(column)
    explanation = explain_now(finder, Cell(made, key, column), row[place], feed.head())
    assert explanation.agrees
    if explanation.sum.said:
        assert explanation.sum.said[-1].so_far == row[place]


@given(st.builds(wild_history, st.integers(0, 2**32), st.integers(1, 150), ids=st.integers(1, 2)), chances, moments)
@settings(max_examples=SOME)
def test_every_random_cell_adds_up_as_of_any_moment(events: list[StoredEvent], chance: random.Random, moment: Moment) -> None:
    feed = WildFeed(events)
    found = some_row(chance, events)
    if found is None:
        return
    made, key, _ = found
    one = Cell(made, key, chance.choice(list(made.fold.columns)))
    row = evaluate(made, [event for event in events if moment.sees(event)]).get(key)
    if row is None:
        with pytest.raises(NotFound, match="has no row"):
            explain_past(Finder(feed, History(feed)), one, feed.head(), moment)
        return
    explanation = explain_past(Finder(feed, History(feed)), one, feed.head(), moment)
    assert explanation.agrees
    assert explanation.shown == row[[column.name for column in made.layout.cells].index(one.column)]


@given(deals)
@settings(max_examples=5 if SOAK else 2)
def test_every_cell_of_a_company_adds_up_and_is_found_by_index_as_by_going_through_everything(told: object) -> None:
    with company() as acme:
        acme.try_all(told.orders("p"))  # type: ignore[attr-defined] - a History
        indexed, scanning = finder_of(acme), Finder(acme.books.log, History(acme.books.log))
        head = acme.books.log.head()
        with acme.lookups() as lookups, acme.facts() as facts:
            for made in PLANS:
                rows = evaluate(made, acme.events)
                for key in rows:
                    asked = Asked(made, made.lanes, key, head, NOW)
                    assert made.name == "timeline" or indexed.events(asked) != []
                for key in list(rows)[:2]:
                    asked = Asked(made, made.lanes, key, head, NOW)
                    assert indexed.events(asked) == scanning.events(asked)
                    for column in made.fold.columns:
                        one = Cell(made, key, column)
                        assert explain_now(indexed, one, shown(lookups, facts, one), head).agrees


def finder_of(acme: Company) -> Finder:
    return Finder(acme.books.log, History(acme.books.log), FactTimelines(acme.facts))


def shown(lookups: Lookups, facts: Facts, one: Cell) -> object:
    return cell_in_lookups(lookups, one) if Home.LOOKUPS in one.plan.fold.homes else cell_in_facts(facts, one)


@given(st.builds(wild_history, st.integers(0, 2**32), st.integers(1, 60), ids=st.just(1)), chances)
@settings(max_examples=SOME)
def test_pages_put_together_are_everything_once(events: list[StoredEvent], chance: random.Random) -> None:
    made = plan(next(fold for fold in FOLDS if fold.name == "customer_360"))
    rows = evaluate(made, events)
    if not rows:
        return
    key = min(rows)
    whole = add_up(Cell(made, key, chance.choice(list(made.fold.columns))), list(events))
    for descending in (False, True):
        seen: list[object] = []
        after = None
        while found := page(whole, limit=2, after=after, descending=descending):
            seen += [said for _, _, said in found]
            after = found[-1][:2]
        assert seen == (whole.said[::-1] if descending else whole.said)


@pytest.mark.parametrize("made", PLANS, ids=lambda made: made.name)
def test_every_key_can_be_spelled_and_read_again(made: Plan) -> None:
    for key in evaluate(made, wild_history(5, 1_000)):
        assert read_key(made, spell(key)) == key


@pytest.mark.parametrize(
    ("fold", "spelled", "says"),
    [
        ("customer_360", "x", "a UUID"),
        ("stage_visits", "00000000-0000-0000-0000-000000000007", "2 parts, not 1"),
        ("stage_visits", "00000000-0000-0000-0000-000000000007,two", "a whole number"),
        ("stage_visits", "00000000-0000-0000-0000-000000000007," + "9" * 30, "too large"),
        ("request_waits", "00000000-0000-0000-0000-000000000007,2026-03-01T09:30:00", "offset"),
        ("customer_external_ids", '"a', "3 parts"),
    ],
)
def test_a_key_that_is_misspelled_is_refused_with_its_form(fold: str, spelled: str, says: str) -> None:
    made = next(plan(each) for each in FOLDS if each.name == fold)
    with pytest.raises(KeyMisspelled, match=says):
        read_key(made, spelled)


def test_unknown_read_models_and_columns_are_told_apart() -> None:
    plans = {made.name: made for made in PLANS}
    for fold, column, code in [
        ("deals", "x", "fold.unknown"),
        ("customers", "x", "column.unknown"),
        ("customers", "customer_id", "column.unknown"),
    ]:
        with pytest.raises(NotFound) as refused:
            cell(plans, fold, "00000000-0000-0000-0000-000000000007", column)
        assert refused.value.code == code
