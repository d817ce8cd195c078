"""What is different between two answers to the same question: the places where they are not the same, and by how much."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import chain, combinations
from typing import Any, Final, cast

Rows = Sequence[Mapping[str, Any]]
MOST_COLUMNS: Final = 3
"""Columns that together may tell rows apart."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two answers differ. `change` is after minus before, where both are numbers."""

    path: str
    """Names, and in brackets which row: `funnels[0198…].stages[Won].value`."""
    before: Any
    after: Any
    change: Decimal | float | None


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """The places where two JSON values differ, in the order of the second; rows are found again by what tells them apart."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _objects(cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after), path)
    elif (old := _rows(before)) is not None and (new := _rows(after)) is not None:
        yield from _lists(old, new, path)
    elif before != after:
        yield Difference(path, before, after, _change(before, after))


def _objects(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Difference]:
    for name in dict.fromkeys([*after, *before]):
        yield from differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)


def _lists(before: Rows, after: Rows, path: str) -> Iterator[Difference]:
    columns = _telling_apart(before, after) if before or after else None
    if columns is None:
        yield from () if before == after else (Difference(path, before, after, None),)
        return
    old, new = ({_name(row, columns): row for row in rows} for rows in (before, after))
    for name in dict.fromkeys([*new, *old]):
        place = f"{path}[{name}]"
        if name in old and name in new:
            yield from differences(old[name], new[name], place)
        else:
            yield Difference(place, old.get(name), new.get(name), None)


def _telling_apart(*lists: Rows) -> tuple[str, ...] | None:
    """The fewest columns by which the rows of each list are all different."""
    names = [name for name in next(chain.from_iterable(lists)) if all(_is_name(row.get(name)) for row in chain.from_iterable(lists))]
    names.sort(key=lambda name: not name.endswith("_id"))
    for count in range(1, MOST_COLUMNS + 1):
        for columns in combinations(names, count):
            if all(len({_name(row, columns) for row in rows}) == len(rows) for rows in lists):
                return columns
    return None


def _is_name(value: Any) -> bool:
    return value is None or (isinstance(value, str | int) and _number(value) is None)


def _name(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return ", ".join("–" if row.get(column) is None else str(row[column]) for column in columns)


def _rows(value: Any) -> Rows | None:
    rows = cast("list[Any]", value) if isinstance(value, list) else None
    return rows if rows is not None and all(isinstance(row, Mapping) for row in rows) else None


def _change(before: Any, after: Any) -> Decimal | float | None:
    old, new = _number(before), _number(after)
    if old is None or new is None:
        return None
    return float(new - old) if isinstance(before, float) or isinstance(after, float) else new - old


def _number(value: Any) -> Decimal | None:
    """A count or an amount; amounts are text in answers."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
