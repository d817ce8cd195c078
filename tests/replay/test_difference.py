"""What is different between two answers is named where it is, with what it was and by how much it changed."""

import random
from decimal import Decimal
from typing import Any

import pytest

from replay.difference import Difference, differences


def found(before: Any, after: Any) -> list[tuple[str, Any, Any, Any]]:
    return [(each.path, each.before, each.after, each.change) for each in differences(before, after)]


def test_what_is_the_same_is_not_told() -> None:
    answer = {"a": [{"id": "1", "n": 2}], "b": None, "c": ["x"]}
    assert found(answer, answer) == []


def test_numbers_and_amounts_say_by_how_much() -> None:
    before, after = {"count": 3, "value": "10.50", "rate": 0.5, "name": "a"}, {"count": 5, "value": "9.25", "rate": 0.25, "name": "b"}
    assert found(before, after) == [
        ("count", 3, 5, Decimal(2)),
        ("value", "10.50", "9.25", Decimal("-1.25")),
        ("rate", 0.5, 0.25, -0.25),
        ("name", "a", "b", None),
    ]


def test_rows_are_found_again_wherever_they_stand() -> None:
    before = {"items": [{"deal_id": "x", "n": 1}, {"deal_id": "y", "n": 2}]}
    after = {"items": [{"deal_id": "y", "n": 4}, {"deal_id": "z", "n": 3}]}
    assert found(before, after) == [
        ("items[y].n", 2, 4, Decimal(2)),
        ("items[z]", None, {"deal_id": "z", "n": 3}, None),
        ("items[x]", {"deal_id": "x", "n": 1}, None, None),
    ]


def test_rows_may_be_told_apart_by_several_columns() -> None:
    before = [{"group": None, "stage": "Lead", "n": 1}, {"group": None, "stage": "Won", "n": 1}, {"group": "ana", "stage": "Won", "n": 1}]
    after = [{**row, "n": 2} for row in reversed(before)]
    assert [path for path, *_ in found(before, after)] == ["[ana, Won].n", "[–, Won].n", "[–, Lead].n"]


@pytest.mark.parametrize(
    ("before", "after"), [([{"n": 1}, {"n": 1}], [{"n": 1}]), ([1, 2], [2]), ([], [{"id": "a"}]), ({}, {"a": 1}), (1, None)]
)
def test_what_cannot_be_matched_is_told_whole(before: Any, after: Any) -> None:
    assert found(before, after)
    assert not found(before, before)


def test_any_two_values_differ_in_what_is_told() -> None:
    chance = random.Random(1)

    def value(depth: int) -> Any:
        kind = chance.randrange(6 if depth else 3)
        if kind < 3:
            return chance.choice([None, 0, 1, "a", "2.50", True, 0.5])
        return {chance.choice("ab"): value(depth - 1)} if kind < 5 else [{"id": str(n), "v": value(depth - 1)} for n in range(kind - 3)]

    for _ in range(500):
        one, other = value(3), value(3)
        assert (list(differences(one, other)) == []) == (one == other)
        assert all(isinstance(each, Difference) for each in differences(one, other))
