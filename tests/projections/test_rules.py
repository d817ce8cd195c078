"""How each rule combines what events say, in both evaluators."""

from typing import Any

import duckdb
import pytest

from domain.envelope import StoredEvent
from domain.interactions.events import InteractionLogged
from domain.opportunities.events import (
    OpportunityAmountChanged,
    OpportunityLost,
    OpportunityOpened,
    OpportunityStageChanged,
    OpportunityWon,
)
from projections.bulk import Bulk
from projections.evaluate import evaluate, scaled
from projections.fold import Fold, Home
from projections.plan import Rows, plan
from projections.rows import rows_of
from projections.rules import Column, Order, distinct, earliest, first, latest, latest_of, less, newest, tally, total
from projections.sql import canonical
from projections.values import OCCURRED_AT, POSITION, Const, unless, when
from tests.projections.feed import MemoryFeed, ident, instant


def event(position: int, made: type[Any], /, occurred: int | None = None, **data: object) -> StoredEvent:
    named = {"opportunity_id": ident(1), **data}
    at = instant(occurred if occurred is not None else position)
    return StoredEvent(
        position=position,
        stream_id=ident(1),
        version=position,
        id=ident(100 + position),
        type=made.type,
        occurred_at=at,
        recorded_at=at,
        actor="user:a",
        source="api",
        command_id=str(position),
        data=named,
    )


def folded(fold: Fold, events: list[StoredEvent], evaluator: str) -> Rows:
    made = plan(fold)
    if evaluator == "python":
        return evaluate(made, events)
    with duckdb.connect() as connection:
        bulk = Bulk(connection, [(made, made.lanes)])
        with bulk.typed(MemoryFeed(events).arrow(0, 1_000).read_all()) as types:
            query = rows_of(made, made.lanes, types)
            rows = connection.execute(canonical(made.layout, f"({query})")).fetchall() if query else []
    plain = [[tuple(cell) if isinstance(cell, list) else cell for cell in row] for row in rows]
    return {tuple(row[: len(fold.key)]): row[len(fold.key) :] for row in plain}


@pytest.fixture(params=["python", "duckdb"])
def evaluator(request: pytest.FixtureRequest) -> str:
    return request.param


def value(column: Column, events: list[StoredEvent], evaluator: str) -> Any:
    fold = Fold("deals", homes=[Home.LOOKUPS], key="opportunity_id", columns={"it": column})
    rows = folded(fold, events, evaluator)
    return rows[ident(1),][-1]


STAGE = latest_of({OpportunityOpened: "stage", OpportunityStageChanged: "to_stage"})


def test_the_latest_value_is_the_one_of_the_last_position(evaluator: str) -> None:
    events = [event(1, OpportunityOpened, 9, stage="a"), event(2, OpportunityStageChanged, 5, to_stage="b")]
    assert value(STAGE, events, evaluator) == "b"


def test_none_wins_too_when_it_is_the_latest(evaluator: str) -> None:
    column = latest("owner_id", OpportunityOpened, OpportunityLost)
    assert value(column, [event(1, OpportunityOpened, owner_id="x"), event(2, OpportunityLost, owner_id=None)], evaluator) is None


def test_by_time_of_happening_late_entries_slot_in_and_the_position_decides_between_equals(evaluator: str) -> None:
    column = latest("name", OpportunityOpened, order=Order.OCCURRED_AT)
    assert value(column, [event(1, OpportunityOpened, 9, name="a"), event(2, OpportunityOpened, 5, name="late")], evaluator) == "a"
    assert value(column, [event(9, OpportunityOpened, 5, name="a"), event(10, OpportunityOpened, 5, name="b")], evaluator) == "b"


def test_the_first_value_stays(evaluator: str) -> None:
    events = [event(1, OpportunityOpened, name=None), event(2, OpportunityOpened, name="b")]
    assert value(first("name", OpportunityOpened), events, evaluator) is None


def test_earliest_and_newest_know_no_none(evaluator: str) -> None:
    days = [event(1, OpportunityOpened, expected_close_on="2024-02-29"), event(2, OpportunityOpened, expected_close_on=None)]
    assert value(earliest("expected_close_on", OpportunityOpened), days, evaluator) == "2024-02-29"
    assert value(newest("expected_close_on", OpportunityOpened), days, evaluator) == "2024-02-29"
    assert value(
        newest(OCCURRED_AT, OpportunityOpened), [event(1, OpportunityOpened, 8), event(2, OpportunityOpened, 3)], evaluator
    ) == instant(8)


def test_totals_are_exact_and_signed(evaluator: str) -> None:
    column = total("base_amount", OpportunityWon) | less("base_amount", OpportunityLost)
    events = [
        event(1, OpportunityWon, base_amount="0.1"),
        event(2, OpportunityWon, base_amount="0.2"),
        event(3, OpportunityLost, base_amount="0.3"),
    ]
    assert value(column, events, evaluator) == 0
    assert value(column, events[:2], evaluator) == 3_000


def test_a_tally_counts_up_and_down_where_its_condition_holds(evaluator: str) -> None:
    column = tally(plus=[OpportunityOpened]) | tally(minus=[OpportunityWon], when=when("previous_status", "open"))
    events = [
        event(1, OpportunityOpened),
        event(2, OpportunityWon, previous_status="open"),
        event(3, OpportunityWon, previous_status="won"),
    ]
    assert value(column, events, evaluator) == 0


def test_a_condition_may_name_what_must_not_be(evaluator: str) -> None:
    column = latest("reason", OpportunityLost, when=unless("reason", None)) | latest("name", OpportunityOpened)
    events = [event(1, OpportunityOpened, name="n"), event(2, OpportunityLost, reason="price"), event(3, OpportunityLost, reason=None)]
    assert value(column, events, evaluator) == "price"


def test_a_set_is_sorted_and_without_none(evaluator: str) -> None:
    events = [event(position, OpportunityLost, competitor=name) for position, name in enumerate(["b", "a", None, "b", "é"], start=1)]
    assert value(distinct("competitor", OpportunityLost), events, evaluator) == ("a", "b", "é")


def test_an_event_contributes_to_the_row_that_its_own_key_names(evaluator: str) -> None:
    fold = Fold(
        "visits",
        homes=[Home.FACTS],
        key=("opportunity_id", "move_no"),
        columns={
            "entered_at": latest(OCCURRED_AT, OpportunityOpened, OpportunityStageChanged),
            "left_at": latest(OCCURRED_AT, OpportunityStageChanged, key=["opportunity_id", "previous_move_no"]),
        },
    )
    events = [event(1, OpportunityOpened, move_no=0), event(2, OpportunityStageChanged, move_no=1, previous_move_no=0)]
    rows = folded(fold, events, evaluator)
    assert rows == {(ident(1), 0): [1, instant(1), 2, instant(2)], (ident(1), 1): [2, instant(2), None, None]}


def test_an_event_whose_key_is_empty_or_whose_condition_fails_makes_no_row(evaluator: str) -> None:
    calls = Fold(
        "calls", homes=[Home.LOOKUPS], key="contact_id", columns={"calls": tally(plus=[InteractionLogged], when=when("kind", "call"))}
    )
    events = [event(1, InteractionLogged, contact_id=None, kind="call"), event(2, InteractionLogged, contact_id=ident(2), kind="note")]
    assert folded(calls, events, evaluator) == {}


def test_constants_positions_and_the_type_are_values_too(evaluator: str) -> None:
    fold = Fold(
        "marks",
        homes=[Home.FACTS],
        key={"position": POSITION},
        columns={"won": first(Const(value=True), OpportunityWon) | first(Const(value=False), OpportunityLost)},
    )
    assert evaluate(plan(fold), [event(7, OpportunityWon), event(8, OpportunityLost)]) == {(7,): [True], (8,): [False]}
    if evaluator == "duckdb":
        assert fold.per_event


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("-0.5", -5000),
        ("-12.3456", -123456),
        ("1.00005", 10001),
        ("-1.00005", -10001),
        ("0.00004999", 0),
        ("999999999999.9999", 9999999999999999),
    ],
)
def test_decimals_are_counted_in_ten_thousandths_and_rounded_half_away_from_zero(text: str, count: int, evaluator: str) -> None:
    assert scaled(text) == count
    assert value(latest("amount", OpportunityAmountChanged), [event(1, OpportunityAmountChanged, amount=text)], evaluator) == count


def test_a_decimal_too_large_for_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        scaled("100000000000000")
