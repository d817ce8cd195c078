"""Making personal cells readable at the edge: ciphertext in rows is replaced by its text, or by None where the person was forgotten."""

from collections.abc import Callable, Sequence
from typing import Any

from readmodels.asking import Row
from readmodels.layout import Layout

Decrypt = Callable[[Sequence[str | None]], list[str | None]]
"""Many tokens at once; None for one whose key is gone, and for None."""


def opened(decrypt: Decrypt, *tables: tuple[Sequence[Row], Sequence[str]]) -> None:
    """Make the named columns of each table's rows readable, in place.

    `erased` of each row says whether something was forgotten: a text cannot be read any more, or the row tells when its person
    was erased.
    """
    places = [(row, name) for rows, names in tables for row in rows for name in names if row[name] is not None]
    for rows, _ in tables:
        for row in rows:
            row["erased"] = row.get("erased_at") is not None
    if not places:
        return
    for (row, name), text in zip(places, decrypt([row[name] for row, name in places]), strict=True):
        row[name] = text
        if text is None:
            row["erased"] = True


def personal_columns(layout: Layout) -> tuple[str, ...]:
    """The columns of a read model that hold ciphertext."""
    return tuple(name for name in layout.shown if layout.column(name).personal)


def amount_text(value: Any) -> str:
    """An amount as JSON has it: plain digits, two places or four."""
    text = f"{value:.4f}"
    return text.removesuffix("00")
