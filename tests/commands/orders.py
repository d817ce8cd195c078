"""Short ways to write orders in tests."""

from datetime import datetime
from typing import Any

from commands.dispatch import Dispatcher
from commands.order import Order, Outcome, Receipt, Refusal
from tests.memory_log import MemoryLog


def ext(number: object) -> dict[str, str]:
    """An external id."""
    return {"source": "test", "id": str(number)}


def order(
    name: str,
    /,
    *,
    command_id: str | None = None,
    at: datetime | None = None,
    report: bool = False,
    version: int | None = None,
    **data: Any,
) -> Order:
    """An order for the command `name` with its fields as keywords."""
    return Order(
        name=name,
        data=data,
        actor="user:test",
        source="test",
        command_id=command_id,
        occurred_at=at,
        report=report,
        expected_version=version,
    )


def receipt(outcome: Outcome) -> Receipt:
    """The receipt that this must be."""
    assert isinstance(outcome, Receipt), outcome
    return outcome


def refusal(outcome: Outcome) -> str:
    """The code of the refusal that this must be."""
    assert isinstance(outcome, Refusal), outcome
    return outcome.error.code


class Desk:
    """A dispatcher over a log in memory."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.dispatcher = Dispatcher(self.log, base_currency="EUR")

    def give(self, *orders: Order) -> list[Receipt]:
        """Execute orders that must all be accepted."""
        return [receipt(outcome) for outcome in self.dispatcher.execute(orders)]

    def refuse(self, refused: Order) -> str:
        """Execute an order that must be refused and leave no event; the code."""
        before = len(self.log.events)
        code = refusal(self.dispatcher.execute([refused])[0])
        assert len(self.log.events) == before
        return code


PIPELINE = order(
    "define_pipeline",
    pipeline_id=ext("sales"),
    name="Sales",
    stages=[{"name": "Lead"}, {"name": "Offer"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}],
)
CUSTOMER = order("register_customer", customer_id=ext("acme"), kind="company", name="Acme")


def deal(number: object, **data: Any) -> Order:
    """Open a deal with Acme in the pipeline above."""
    given = {
        "opportunity_id": ext(number),
        "customer_id": ext("acme"),
        "pipeline_id": ext("sales"),
        "name": "Deal",
        "owner_id": "ana",
        **data,
    }
    return order("open_opportunity", **given)
