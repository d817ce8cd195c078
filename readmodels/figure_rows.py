"""The rows behind one figure: what each of them adds, and what all of them come to by the figure's own rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from readmodels.asking import Facts, Row


class Rule(StrEnum):
    """How the values of rows make the figure."""

    SUM = "sum"
    MEAN = "mean"
    MEDIAN = "median"
    P90 = "p90"


class Measure(NamedTuple):
    """Which rows count and with what; both in SQL over `bars`."""

    rule: Rule
    counts: str
    value: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the rows behind a figure; `comes_to` is of all rows, None where there is nothing to come to."""

    rule: Rule
    rows: list[Row]
    all: int
    comes_to: Any


_AGGREGATES: Final = {
    Rule.SUM: "coalesce(sum(value), 0)",
    Rule.MEAN: "avg(value)",
    Rule.MEDIAN: "quantile_cont(value, 0.5)",
    Rule.P90: "quantile_cont(value, 0.9)",
}
_ROWS: Final = """
{bars},
found AS MATERIALIZED (SELECT b.id, {value} AS value FROM bars b WHERE {counts}),
whole AS (SELECT count(*) AS number, {aggregate} AS comes_to FROM found),
page AS (SELECT f.id, f.value FROM found f WHERE {beyond} ORDER BY abs(f.value) DESC, f.id LIMIT $limit)
SELECT w.number, w.comes_to, p.id::VARCHAR AS id, p.value, {about}
FROM whole w LEFT JOIN page p ON TRUE LEFT JOIN {table} t ON t.{key} = p.id
ORDER BY abs(p.value) DESC, p.id
"""
_BEYOND: Final = "(-abs(f.value), f.id) > (-($beyond_value::{kind}), $beyond_id::UUID)"


class Told(NamedTuple):
    """Where rows are told of: a table, its key, and what is shown of it."""

    table: str
    key: str
    about: Sequence[str]


def rows_behind(
    facts: Facts, bars: str, measure: Measure, told: Told, parameters: Mapping[str, Any], *, limit: int, after: Sequence[Any] | None
) -> Found:
    """At most `limit` rows of `bars` (SQL that ends with a table `bars` with an `id`), beyond a place: the largest first."""
    given = dict(parameters) | {"limit": limit}
    beyond = "TRUE"
    if after is not None:
        beyond = _BEYOND.format(kind="DOUBLE" if measure.rule in (Rule.MEDIAN, Rule.P90) else "DECIMAL(38,4)")
        given |= {"beyond_value": after[0], "beyond_id": after[1]}
    sql = _ROWS.format(
        bars=bars,
        value=measure.value,
        counts=measure.counts,
        aggregate=_AGGREGATES[measure.rule],
        beyond=beyond,
        about=", ".join(f"t.{name}" for name in told.about),
        table=told.table,
        key=told.key,
    )
    rows = facts.rows(sql, given)
    number, comes_to = rows[0]["number"], rows[0]["comes_to"]
    whole = ("number", "comes_to")
    shown = [{name: cell for name, cell in row.items() if name not in whole} for row in rows if row["id"] is not None]
    return Found(measure.rule, shown, number, comes_to)


def place(row: Row) -> list[str]:
    """The place of a row in that order."""
    return [str(abs(row["value"])), row["id"]]
