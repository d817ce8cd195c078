"""Figures of today and of the trial, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One row: `old` is today's (None where today has no such row), `new` the trial's, `difference` new less old where both are numbers."""

    key: Sequence[Any]
    old: Figures | None
    new: Figures | None
    difference: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure, row by row. `about` says which it is where there are several of the name."""

    name: str
    about: str | None
    key: Sequence[str]
    figures: Sequence[str]
    rows: Sequence[Compared]
    rows_in_all: int


def compared(
    name: str, about: str | None, key: Sequence[str], figures: Sequence[str], *, old: Sequence[Figures], new: Sequence[Figures]
) -> Comparison:
    """Both answers by their keys, in the order of the new one; rows that only the old one has stand after the one before them."""
    before, after = _by_key(key, old), _by_key(key, new)
    order = list(after)
    for place, row in enumerate(before):
        if row not in after:
            previous = list(before)[place - 1] if place else None
            order.insert(order.index(previous) + 1 if previous is not None else 0, row)
    rows = [_row(row, figures, before.get(row), after.get(row)) for row in order]
    return Comparison(name=name, about=about, key=key, figures=figures, rows=rows, rows_in_all=len(rows))


def _by_key(key: Sequence[str], rows: Sequence[Figures]) -> dict[tuple[Any, ...], Figures]:
    return {tuple(row[name] for name in key): row for row in rows}


def _row(key: Sequence[Any], figures: Sequence[str], old: Figures | None, new: Figures | None) -> Compared:
    one, other = ({name: row[name] for name in figures} if row is not None else None for row in (old, new))
    return Compared(key=key, old=one, new=other, difference=_difference(figures, one, other))


def _difference(figures: Sequence[str], old: Figures | None, new: Figures | None) -> Figures:
    if old is None or new is None:
        return dict.fromkeys(figures)
    return {name: new[name] - old[name] if _number(old[name]) and _number(new[name]) else None for name in figures}


def _number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
