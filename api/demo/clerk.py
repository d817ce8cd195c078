"""The clerk who puts a simulated history into a log through real commands, as if each had been recorded when it came."""

from collections import deque
from datetime import datetime

from commands.dispatch import Dispatcher
from commands.log import EventLog
from commands.order import Order, Receipt, Refusal

ORDERS_AT_ONCE = 500


class SimulationRefused(Exception):
    """A command of the simulation was not accepted: the simulation and the rules disagree, which is a mistake in one of them."""


class Clerk:
    """Sends orders to the dispatcher, some hundred in one transaction, in the order in which they came.

    The dispatcher asks its clock once for each order that it decides; here the clock tells when that order came.
    """

    def __init__(self, log: EventLog, *, base_currency: str) -> None:
        self._times: deque[datetime] = deque()
        self._dispatcher = Dispatcher(log, base_currency=base_currency, clock=self._times.popleft)
        self._orders: list[Order] = []
        self.orders = 0
        self.events = 0

    def send(self, order: Order, now: datetime) -> None:
        """Take an order that came at `now`, not before the one before; it says itself when what it tells of happened."""
        self._orders.append(order)
        self._times.append(now)
        if len(self._orders) >= ORDERS_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Send what is still waiting. Raises SimulationRefused."""
        if not self._orders:
            return
        orders, self._orders = self._orders, []
        for order, outcome in zip(orders, self._dispatcher.execute(orders), strict=True):
            self.orders += 1
            self.events += len(_accepted(order, outcome).event_ids)


def _accepted(order: Order, outcome: Receipt | Refusal) -> Receipt:
    if isinstance(outcome, Refusal):
        raise SimulationRefused(f"{order.name} {dict(order.data)}: {outcome.error.code}: {outcome.error.message}")
    return outcome
