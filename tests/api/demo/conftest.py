"""The company of the usual size, lived through once for all tests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from api.demo.fill import Summary, fill
from domain.envelope import NewEvent
from domain.event import Event
from tests.memory_log import MemoryLog

UNTIL = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class History:
    summary: Summary
    stored: list[NewEvent]

    def of(self, kind: type[E]) -> list[E]:
        """All events of a class, in order."""
        return [stored.event for stored in self.stored if isinstance(stored.event, kind)]

    def stored_of(self, kind: type[Event]) -> list[NewEvent]:
        """The same with their envelopes."""
        return [stored for stored in self.stored if isinstance(stored.event, kind)]


def lived(events: int, *, seed: int = 2024, until: datetime = UNTIL, base_currency: str = "EUR") -> History:
    log = MemoryLog()
    summary = fill(log, events=events, seed=seed, until=until, base_currency=base_currency)
    return History(summary, log.events)


@pytest.fixture(scope="package")
def history() -> History:
    return lived(50_000)
