"""The timeline of the facts as an index: where the events lie that name a customer."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from readmodels.asking import Facts

FOLDS: Final = ("timeline",)
"""The facts that are asked."""

_POSITIONS: Final = """
SELECT position FROM timeline
WHERE (customer_id = $customer::UUID OR previous_customer_id = $customer::UUID) AND list_contains($types, type) AND position <= $upto
ORDER BY position
"""


class FactTimelines:
    """Asks the facts of now, each time of a snapshot of its own."""

    def __init__(self, facts: Callable[[], AbstractContextManager[Facts]]) -> None:
        self._facts = facts

    def positions(self, customer_id: str, types: Collection[str], upto: int) -> list[int] | None:
        """The positions, up to `upto`, of these types' events of a customer; None while the facts are not that far."""
        with self._facts() as facts:
            if facts.position(*FOLDS) < upto:
                return None
            rows = facts.rows(_POSITIONS, {"customer": customer_id, "types": sorted(types), "upto": upto})
        return [row["position"] for row in rows]
