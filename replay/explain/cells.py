"""Naming a cell: a fold, the key of one of its rows, and a column.

A key is spelled as its parts in the fold's order with commas between them, as one line of CSV: a part that has a comma or a
quotation mark in it stands in quotation marks, and a quotation mark within those is doubled.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from domain.errors import DaybookError, NotFound
from projections.plan import Key, Lane, Plan
from readmodels.columns import canonical_instant
from readmodels.layout import Kind

LARGEST: Final = 2**63
FORMS: Final[Mapping[Kind, str]] = {
    Kind.ID: "a UUID",
    Kind.INTEGER: "a whole number",
    Kind.INSTANT: "an instant such as 2026-03-01T09:30:00Z",
    Kind.DATE: "a day as YYYY-MM-DD",
    Kind.BOOLEAN: "true or false",
}


class KeyMisspelled(DaybookError):
    """The text does not name a row of that read model; the message says how it is to be spelled."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a read model; `key` has canonical values."""

    plan: Plan
    key: Key
    column: str

    @property
    def lane(self) -> Lane:
        """The column's lane."""
        return next(lane for lane in self.plan.lanes if self.column in lane.names)

    @property
    def kind(self) -> Kind:
        """What it holds."""
        return self.plan.layout.column(self.column).kind


def cell(plans: Mapping[str, Plan], fold: str, key: str, column: str) -> Cell:
    """The cell that these texts name, whether there is such a row or not.

    Raises NotFound `fold.unknown` or `column.unknown`, or KeyMisspelled `key.misspelled`.
    """
    plan = plans.get(fold)
    if plan is None:
        raise NotFound("fold.unknown", f"there is no read model {fold[:100]}; there are {', '.join(sorted(plans))}")
    if column in plan.fold.key:
        raise NotFound(
            "column.unknown", f"{column} is part of the key of {fold}: it is what its rows are told apart by; explain another column"
        )
    if column not in plan.fold.columns:
        raise NotFound("column.unknown", f"{fold} has no column {column[:100]}; it has {', '.join(plan.fold.columns)}")
    return Cell(plan, read_key(plan, key), column)


def spell(key: Sequence[Any]) -> str:
    """A key as text."""
    line = io.StringIO()
    csv.writer(line).writerow(["true" if part is True else "false" if part is False else part for part in key])
    return line.getvalue().removesuffix("\r\n")


def form_of(plan: Plan) -> str:
    """How keys of a fold are spelled."""
    parts = (f"{name} ({FORMS.get(kind, 'text')})" for name, kind in zip(plan.fold.key, plan.fold.key_kinds, strict=True))
    return ", ".join(parts)


def read_key(plan: Plan, text: str) -> Key:
    """The key of that spelling. Raises KeyMisspelled `key.misspelled`."""
    kinds = plan.fold.key_kinds
    try:
        parts = _parts(text, len(kinds))
        return tuple(_part(kind, part) for kind, part in zip(kinds, parts, strict=True))
    except (ValueError, OverflowError, csv.Error) as error:
        message = f"“{text[:200]}” is no key of {plan.name}: give {form_of(plan)}, with commas between ({error})"
        raise KeyMisspelled("key.misspelled", message) from None


def _parts(text: str, count: int) -> list[str]:
    rows = [[text]] if count == 1 and '"' not in text else list(csv.reader(io.StringIO(text, newline="")))
    if len(rows) != 1 or len(rows[0]) != count:
        raise ValueError(f"it has {count} part{'s' if count > 1 else ''}, not {len(rows[0]) if len(rows) == 1 else 'lines of them'}")
    return rows[0]


def _part(kind: Kind, text: str) -> Any:
    match kind:
        case Kind.ID:
            return str(UUID(text))
        case Kind.INTEGER:
            number = int(text)
            if not -LARGEST <= number < LARGEST:
                raise ValueError(f"{text[:30]} is too large")
            return number
        case Kind.INSTANT:
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is None:
                raise ValueError(f"{text} needs its offset, such as Z")
            return canonical_instant(instant)
        case Kind.DATE:
            return date.fromisoformat(text).isoformat()
        case Kind.BOOLEAN:
            if text not in ("true", "false"):
                raise ValueError(f"{text[:30]} is neither true nor false")
            return text == "true"
        case _:
            return text
