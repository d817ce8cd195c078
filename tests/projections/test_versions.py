"""A changed declaration is folded beside what serves and switched in; what served is kept for one roll-back."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.opportunities.events import OpportunityAssigned, OpportunityOpened, OpportunityStageChanged
from projections.build import Builder, BuildFailed
from projections.engine import Engine
from projections.fold import BOTH, Fold
from projections.rules import Column, latest, latest_of
from projections.versions import build, rollback, start
from readmodels.layout import State
from tests.projections.feed import MemoryFeed, wild_history
from tests.projections.tables import contents, engines

EVENTS = (OpportunityOpened, OpportunityStageChanged, OpportunityAssigned)


def deals(**columns: Column) -> list[Fold]:
    return [Fold("deals", homes=BOTH, key="opportunity_id", columns=columns, indexes=[[next(iter(columns))]])]


BEFORE = deals(stage=latest("stage", OpportunityOpened))
AFTER = deals(stage=latest_of({OpportunityOpened: "stage", OpportunityStageChanged: "to_stage"}), owner=latest("owner_id", *EVENTS))


def states(engine: Engine) -> dict[int, State]:
    return {version.number: version.state for version in engine.tables.versions()}


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(wild_history(3, 200, events=EVENTS))


def test_a_first_start_folds_the_whole_log(feed: MemoryFeed) -> None:
    with engines(feed, folds=BEFORE) as both:
        assert start(feed, both) == []
        assert [states(engine) for engine in both] == [{1: State.SERVING}] * 2
        assert [engine.position for engine in both] == [200, 200]


def test_a_second_start_finds_everything_as_it_was(feed: MemoryFeed, tmp_path: Path) -> None:
    with engines(feed, tmp_path, folds=BEFORE) as both:
        start(feed, both)
        first = [contents(engine) for engine in both]
    with engines(feed, tmp_path, folds=BEFORE) as both:
        assert start(feed, both) == []
        assert [contents(engine) for engine in both] == first
        assert [states(engine) for engine in both] == [{1: State.SERVING}] * 2


def test_a_changed_declaration_serves_as_it_is_until_the_new_version_is_built(feed: MemoryFeed, tmp_path: Path) -> None:
    with engines(feed, tmp_path, folds=BEFORE) as both:
        start(feed, both)
        first = [contents(engine) for engine in both]
    feed.add(wild_history(4, 50, after=200, events=EVENTS))
    with engines(feed, tmp_path, folds=AFTER) as both, engines(feed, folds=AFTER) as fresh:
        assert start(feed, both) == ["deals"]
        for engine in both:
            engine.catch_up()
            assert [health.stale for health in engine.health()] == [True]
            assert [version.position for version in engine.tables.versions()] == [200]
        build(feed, {engine: ["deals"] for engine in both})
        start(feed, fresh)
        assert [contents(engine) for engine in both] == [contents(engine) for engine in fresh] != first
        assert [states(engine) for engine in both] == [{1: State.KEPT, 2: State.SERVING}] * 2


def test_going_back_to_the_code_before_switches_to_the_kept_version_and_catches_up(feed: MemoryFeed, tmp_path: Path) -> None:
    with engines(feed, tmp_path, folds=BEFORE) as both:
        start(feed, both)
    with engines(feed, tmp_path, folds=AFTER) as both:
        build(feed, {engine: ["deals"] for engine in both if start(feed, both)})
    feed.add(wild_history(4, 50, after=200, events=EVENTS))
    with engines(feed, tmp_path, folds=BEFORE) as both, engines(feed, folds=BEFORE) as fresh:
        assert start(feed, both) == []
        start(feed, fresh)
        for engine in both:
            engine.catch_up()
        assert [contents(engine) for engine in both] == [contents(engine) for engine in fresh]
        assert [states(engine) for engine in both][1] == {1: State.SERVING, 2: State.KEPT}


def test_one_version_is_kept_for_a_roll_back_and_older_ones_are_dropped(feed: MemoryFeed) -> None:
    with engines(feed, folds=BEFORE) as both:
        start(feed, both)
        for _ in range(3):
            build(feed, {engine: ["deals"] for engine in both})
        for engine in both:
            assert states(engine) == {3: State.KEPT, 4: State.SERVING}
            assert rollback(engine, "deals").number == 3
            assert states(engine) == {3: State.SERVING, 4: State.KEPT}
            engine.catch_up()


def test_there_is_nothing_to_roll_back_to_at_first(feed: MemoryFeed) -> None:
    with engines(feed, folds=BEFORE) as both:
        start(feed, both)
        with pytest.raises(LookupError, match="no earlier version"):
            rollback(both[0], "deals")


def test_what_was_being_built_when_the_process_ended_is_dropped_at_the_next_start(feed: MemoryFeed, tmp_path: Path) -> None:
    with engines(feed, tmp_path, folds=BEFORE) as both:
        start(feed, both)
        Builder(feed).build({engine: ["deals"] for engine in both})
        assert [states(engine) for engine in both] == [{1: State.SERVING, 2: State.BUILDING}] * 2
    with engines(feed, tmp_path, folds=BEFORE) as both:
        start(feed, both)
        assert [states(engine) for engine in both] == [{1: State.SERVING}] * 2


def test_what_happens_while_a_version_is_built_is_in_it_when_it_serves(feed: MemoryFeed) -> None:
    with engines(feed, folds=AFTER) as both, engines(feed, folds=AFTER) as fresh:
        start(feed, both)
        builder = Builder(feed)
        drafts = builder.build({engine: ["deals"] for engine in both})
        feed.add(wild_history(5, 100, after=200, events=EVENTS))
        for engine in both:
            engine.catch_up()
        builder.switch(drafts)
        start(feed, fresh)
        assert [contents(engine) for engine in both] == [contents(engine) for engine in fresh]
        assert [engine.position for engine in both] == [300, 300]


def test_a_build_that_fails_names_the_event_and_leaves_what_serves(feed: MemoryFeed) -> None:
    with engines(feed, folds=BEFORE) as both:
        start(feed, both)
        bad = next(event for event in feed.events[70:] if event.type == "opportunity.opened")
        feed.events[bad.position - 1] = replace(bad, data={name: value for name, value in bad.data.items() if name != "stage"})
        with pytest.raises(BuildFailed, match=f"position {bad.position}"):
            build(feed, {engine: ["deals"] for engine in both})
        assert [states(engine) for engine in both] == [{1: State.SERVING}] * 2


class GrowingFeed(MemoryFeed):
    """A log to which something is appended whenever somebody looks how long it is."""

    def head(self) -> int:
        last = super().head()
        self.add(wild_history(last, 1, after=last, events=EVENTS))
        return super().head()


@pytest.mark.timeout(60)
def test_a_build_ends_though_the_log_never_stands_still() -> None:
    feed = GrowingFeed(wild_history(3, 50, events=EVENTS))
    with engines(feed, folds=BEFORE) as both:
        start(feed, both)
        for engine in both:
            engine.advance()
        build(feed, {engine: ["deals"] for engine in both})
        assert [states(engine) for engine in both] == [{1: State.KEPT, 2: State.SERVING}] * 2
