"""Erasing again whom a restored copy of the log does not know to be erased, by the list that is kept apart from it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from bus.catalogue import TODAY
from bus.erasures import Erasure
from bus.log import Log
from commands.dispatch import Dispatcher
from commands.order import Order, Refusal

ACTOR: Final = "rule:erasures"
SOURCE: Final = "restore"
_SAID: Final = ("legal_basis", "reason", "requested_on")


def erase_again(erasures: Iterable[Erasure], log: Log, dispatcher: Dispatcher) -> int:
    """Record anew the erasures that the log has lost, of persons whom it knows; how many there were.

    Their keys are gone already. Raises what the log raises, or the refusal of an erasure that cannot be repeated.
    """
    listed = list(erasures)
    known = set(log.erased()) if listed else set[UUID]()
    lost = [erasure for erasure in listed if erasure.person not in known and log.read_stream(erasure.person)]
    outcomes = dispatcher.execute([_order(erasure) for erasure in lost]) if lost else []
    for outcome in outcomes:
        if isinstance(outcome, Refusal):
            raise outcome.error
    return len(lost)


def _order(erasure: Erasure) -> Order:
    kind = erasure.type.partition(".")[0]
    key = TODAY.known(erasure.type).stream
    return Order(
        name=f"erase_{kind}",
        data={key: str(erasure.person), **{name: erasure.data[name] for name in _SAID}},
        actor=ACTOR,
        source=SOURCE,
        command_id=f"erasure:{erasure.event_id}",
        occurred_at=datetime.fromisoformat(erasure.occurred_at),
        report=True,
        causation_id=erasure.event_id,
    )
