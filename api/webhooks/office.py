"""What a Daybook has of webhooks besides delivering: the subscriptions, their secrets, and how each stands."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bus.vault import Vault
from bus.webhooks.model import Counts, Subscription
from bus.webhooks.sealing import Seals
from bus.webhooks.store import WebhookStore


class Delivering(Protocol):
    """Whoever delivers in this process."""

    def nudge(self) -> None: ...
    def position(self, subscription_id: str) -> int | None: ...
    def in_flight(self, subscription_id: str) -> int: ...
    def trouble(self, subscription_id: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How one subscription stands; numbers for whoever watches."""

    subscription: Subscription
    position: int
    """Up to where everything is settled."""
    lag: int
    """How many positions that is behind the log."""
    waiting: int
    """Events that wait to be sent again."""
    dead: int
    """Events that were given up and not sent again since."""
    in_flight: int
    """Events that are on their way from this process."""
    next_due: float | None
    trouble: str | None
    """What keeps this process from delivering, apart from the receiver."""


class Webhooks:
    """The subscriptions of one Daybook; `deliverer` is who delivers in this process, if anybody does."""

    def __init__(self, store: WebhookStore, seals: Seals, head: Callable[[], int]) -> None:
        self.store = store
        self.seals = seals
        self.head = head
        self.clock: Callable[[], float] = time.time
        self.deliverer: Delivering | None = None

    def changed(self) -> None:
        """Tell who delivers that something was changed."""
        if self.deliverer is not None:
            self.deliverer.nudge()

    def standing(self) -> list[Standing]:
        """How every subscription stands, the oldest first. Raises LogUnavailable."""
        counts, head = self.store.counts(), self.head()
        return [self._stands(each, counts.get(each.id, Counts()), head) for each in self.store.all()]

    def stands(self, subscription_id: str) -> Standing:
        """How one stands. Raises NotFound `webhook.unknown` or LogUnavailable."""
        found = self.store.get(subscription_id)
        return self._stands(found, self.store.counts().get(found.id, Counts()), self.head())

    def _stands(self, subscription: Subscription, counts: Counts, head: int) -> Standing:
        here = self.deliverer
        told = here.position(subscription.id) if here else None
        position = subscription.position if told is None else max(told, subscription.position)
        return Standing(
            subscription=subscription,
            position=position,
            lag=max(0, head - position),
            waiting=counts.waiting,
            dead=counts.dead,
            in_flight=here.in_flight(subscription.id) if here else 0,
            next_due=counts.next_due,
            trouble=here.trouble(subscription.id) if here else None,
        )


@contextmanager
def open_webhooks(place: str | Path, vault: Vault, head: Callable[[], int]) -> Generator[Webhooks]:
    """The subscriptions at a path (SQLite file) or `postgresql://…` address, begun when there are none. Raises ForeignLog or LogUnavailable."""
    store = WebhookStore(place)
    try:
        yield Webhooks(store, Seals(vault), head)
    finally:
        store.close()
