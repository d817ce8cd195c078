"""Where the parts of one Daybook are put together."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from api.problems import Unavailable
from api.settings import Settings
from commands.group import GroupCommit
from commands.order import Order, Outcome


@dataclass(slots=True)
class Daybook:
    """An open Daybook."""

    settings: Settings
    group: GroupCommit

    def submit(self, orders: Sequence[Order], *, atomic: bool = False) -> Awaitable[list[Outcome]]:
        """Hand orders to the dispatcher from an event loop. Raises Unavailable while closing."""
        try:
            return self.group.submit_async(orders, atomic=atomic)
        except RuntimeError:
            raise Unavailable("daybook.closing", "Daybook is shutting down") from None
