"""Explanations in words and in the values that people read."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from projections.values import Condition
from readmodels.layout import Kind
from readmodels.opening import Decrypt
from replay.explain.cells import Cell


def condition_text(condition: Condition) -> str:
    """`status is won or lost`."""
    among = " or ".join(_constant(value) for value in condition.among)
    return f"{condition.field} is {'not ' if condition.negated else ''}{among}"


def _constant(value: str | int | None) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def readable(cell: Cell, values: Sequence[Any], decrypt: Decrypt) -> list[Any]:
    """Canonical cells as people read them: amounts as decimals, personal texts deciphered (None once the person was forgotten)."""
    if cell.plan.layout.column(cell.column).personal:
        return list(decrypt(values))
    if cell.kind is Kind.DECIMAL:
        return [None if value is None else Decimal(value).scaleb(-4) for value in values]
    return [list(value) if isinstance(value, tuple) else value for value in values]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
