"""What all workers of one process deliver with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from api.feed.reading import told
from api.observing.tracing import Tracing
from api.streams import Streams
from api.webhooks.schedule import Schedule
from api.webhooks.sending import Message, message_of
from api.webhooks.tail import Tail
from api.wiring import Books
from bus.webhooks.deliveries import Deliveries
from bus.webhooks.model import Claimed
from bus.webhooks.sealing import Seals
from domain.envelope import StoredEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The log and its keys, what is stored of deliveries, and time; `streams` reads in threads and tells when the log has grown."""

    books: Books
    deliveries: Deliveries
    seals: Seals
    tail: Tail
    streams: Streams
    schedule: Schedule
    tracing: Tracing
    clock: Callable[[], float]
    random: Callable[[], float]

    async def read(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """The result of what may block, from a thread."""
        return await self.streams.read(step, *arguments)

    def message(self, event: StoredEvent) -> Message:
        """An event as it is sent: readable now, and nowhere kept so."""
        return message_of(told(self.books, [event])[0])

    def secrets(self, claimed: Claimed) -> Sequence[tuple[str, float | None]]:
        """The secrets to sign with, and until when. Raises WrongMasterKey."""
        return [(self.seals.open_secret(each.sealed, claimed.subscription.id), each.expires_at) for each in claimed.secrets]
