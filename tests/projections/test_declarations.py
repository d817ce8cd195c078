"""Folds are checked when they are declared, and every event has one."""

from typing import Any

import pytest

from domain.catalogue import EVENTS
from domain.contacts.events import ContactAdded
from domain.opportunities.events import (
    OpportunityAmountChanged,
    OpportunityLost,
    OpportunityOpened,
    OpportunityStageChanged,
    OpportunityWon,
)
from projections.catalogue import FOLDS, NOT_FOLDED, layouts
from projections.fold import BOTH, Fold, Home
from projections.plan import plan
from projections.rules import Column, distinct, latest, newest, tally, total
from projections.shapes import BadFold
from projections.values import OCCURRED_AT, Const, Envelope, when
from readmodels.layout import Kind


def fold(**columns: Column) -> Fold:
    return Fold("deals", homes=[Home.LOOKUPS], key="opportunity_id", columns=columns)


def test_every_event_is_in_a_fold_or_listed_with_a_reason() -> None:
    folded = {event for one in FOLDS for event in one.events}
    assert set(EVENTS) == folded | set(NOT_FOLDED)
    assert not folded & set(NOT_FOLDED)


def test_no_two_folds_have_the_same_name() -> None:
    assert len({one.name for one in FOLDS}) == len(FOLDS)


def test_facts_hold_nothing_that_identifies_a_person() -> None:
    assert not [column for layout in layouts(Home.FACTS) for column in layout.columns if column.personal]
    assert [column for layout in layouts(Home.LOOKUPS) for column in layout.columns if column.personal]


def test_what_a_column_holds_follows_from_the_events_fields() -> None:
    made = fold(
        stage=latest("stage", OpportunityOpened),
        worth=total("base_amount", OpportunityOpened),
        day=latest("expected_close_on", OpportunityOpened),
        at=newest(OCCURRED_AT, OpportunityOpened),
        owners=distinct("owner_id", OpportunityOpened),
        moves=tally(plus=[OpportunityStageChanged]),
        back=latest("backward", OpportunityStageChanged),
    )
    kinds = {column.name: column.kind for column in plan(made).layout.columns}
    assert (kinds["opportunity_id"], kinds["stage"], kinds["worth"], kinds["day"]) == (Kind.ID, Kind.TEXT, Kind.DECIMAL, Kind.DATE)
    assert (kinds["at"], kinds["owners"], kinds["moves"], kinds["back"]) == (Kind.INSTANT, Kind.TEXTS, Kind.INTEGER, Kind.BOOLEAN)


def test_a_personal_field_makes_a_personal_column() -> None:
    made = Fold(
        "people", homes=BOTH, key="contact_id", columns={"name": latest("name", ContactAdded), "title": latest("title", ContactAdded)}
    )
    assert [column.name for column in plan(made).layout.columns if column.personal and not column.hidden] == ["name"]


def test_columns_that_win_together_share_one_hidden_mark() -> None:
    made = fold(
        stage=latest("stage", OpportunityOpened), name=latest("name", OpportunityOpened), moves=tally(plus=[OpportunityStageChanged])
    )
    assert [column.name for column in plan(made).layout.columns if column.hidden] == ["mark__stage"]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"a": latest("nonsense", OpportunityOpened)}, "has no field"),
        ({"a": latest(Envelope("nonsense"), OpportunityOpened)}, "the envelope has no"),
        ({"a": latest("stage", OpportunityOpened) | latest("move_no", OpportunityWon)}, "one kind of value"),
        ({"a": total("stage", OpportunityOpened)}, "does not combine"),
        ({"a": distinct("move_no", OpportunityOpened)}, "does not combine"),
        ({"a": latest("stage", OpportunityOpened, when=when("nonsense", 1))}, "has no field"),
        ({"a": latest("stage", OpportunityOpened, when=when("stage", 1))}, "is of kind"),
        ({"a": latest("stage", OpportunityOpened) | latest("name", OpportunityOpened)}, "two values at once"),
        ({"a": latest("reason", OpportunityLost, key=["opportunity_id", "move_no"])}, "a key of 2 parts"),
        ({"a": latest("reason", OpportunityLost, key=["move_no"]) | latest("name", OpportunityOpened)}, "one kind of value"),
        ({"mark__a": latest("stage", OpportunityOpened)}, "cannot name"),
        ({"a b": latest("stage", OpportunityOpened)}, "cannot name"),
        ({"opportunity_id": latest("stage", OpportunityOpened)}, "key columns"),
        ({"a": latest(Const(None), OpportunityOpened)}, "one kind of value"),
        ({}, "needs a home, a key and columns"),
    ],
)
def test_a_declaration_that_contradicts_itself_or_its_events_is_refused(columns: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadFold, match=complaint):
        fold(**columns)


def test_one_event_may_say_two_things_to_a_cell_when_only_one_can_hold() -> None:
    fold(
        a=latest("amount", OpportunityAmountChanged, when=when("status", "open"))
        | latest("previous_amount", OpportunityAmountChanged, when=when("status", "won"))
    )


def test_columns_of_different_rules_do_not_combine() -> None:
    with pytest.raises(TypeError, match="one rule"):
        _ = latest("move_no", OpportunityOpened) | total("move_no", OpportunityWon)


def test_an_index_over_unknown_columns_is_refused() -> None:
    with pytest.raises(BadFold, match="unknown columns"):
        Fold("deals", homes=BOTH, key="opportunity_id", columns={"a": latest("stage", OpportunityOpened)}, indexes=[["b"]])


def test_a_fingerprint_is_stable_and_changes_with_the_declaration() -> None:
    one, same, other = (
        fold(a=latest("stage", OpportunityOpened)),
        fold(a=latest("stage", OpportunityOpened)),
        fold(a=latest("name", OpportunityOpened)),
    )
    assert one.fingerprint == same.fingerprint != other.fingerprint
