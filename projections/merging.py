"""How PostgreSQL combines a row with the one that is there, in the statement that writes it: the rules' third evaluator.

Nothing is read first, so that workers who write the same row at the same time need not know of each other.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final

from projections.plan import Lane, Plan
from projections.rules import Rule
from projections.sql import quoted


@cache
def changes(plan: Plan) -> Mapping[str, str]:
    """What becomes of each column when the row `excluded` comes to the row `old`."""
    if plan.fold.per_event:
        return {column.name: f"excluded.{quoted(column.name)}" for column in plan.layout.cells}
    return {name: change for lane in plan.lanes for name, change in _COMBINE[lane.rule](lane)}


def _marked(better: str) -> Callable[[Lane], Iterator[tuple[str, str]]]:
    def combine(lane: Lane) -> Iterator[tuple[str, str]]:
        mark = quoted(lane.mark_name)
        wins = f"excluded.{mark} IS NOT NULL AND (old.{mark} IS NULL OR excluded.{mark} {better} old.{mark})"
        for name in (lane.mark_name, *lane.names):
            yield name, f"CASE WHEN {wins} THEN excluded.{quoted(name)} ELSE old.{quoted(name)} END"

    return combine


def _figure(expression: str) -> Callable[[Lane], Iterator[tuple[str, str]]]:
    def combine(lane: Lane) -> Iterator[tuple[str, str]]:
        (name,) = lane.names
        yield name, expression.format(old=f"old.{quoted(name)}", new=f"excluded.{quoted(name)}")

    return combine


_COMBINE: Final[Mapping[Rule, Callable[[Lane], Iterator[tuple[str, str]]]]] = {
    Rule.FIRST: _marked("<"),
    Rule.LATEST: _marked(">"),
    Rule.EARLIEST: _figure("LEAST({old}, {new})"),
    Rule.NEWEST: _figure("GREATEST({old}, {new})"),
    Rule.TOTAL: _figure("{old} + {new}"),
    Rule.DISTINCT: _figure(
        'CASE WHEN {new} <@ {old} THEN {old} ELSE (SELECT jsonb_agg(item ORDER BY item COLLATE "C") FROM '
        "(SELECT jsonb_array_elements_text({old}) AS item UNION SELECT jsonb_array_elements_text({new})) AS members) END"
    ),
}
