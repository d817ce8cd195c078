"""Publishing: the log's events into the topic of events, each once and in order, through outages and whoever else tries the same.

What is published already is read from the topic alone, each time a shipment begins. So it does not matter when a publisher was killed, and
a topic that was deleted is shipped again from the first event.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final, Protocol

from bus.errors import KafkaUnavailable, LogUnavailable
from bus.kafka.cluster import Cluster
from bus.kafka.sending import Sender, Unsure
from bus.kafka.shipping import Shipment
from bus.kafka.tails import held_against, tails
from bus.kafka.topics import Topic, find_topic, make_topic
from bus.publisher_lock import PublisherLock
from bus.stored_text import StoredText
from domain.envelope import StoredEvent

log = logging.getLogger(__name__)

AT_ONCE: Final = 2000
"""Events that are read, and sent at most, at once."""
IDLE_SECONDS: Final = 0.5
"""How long a silent log is waited for before the publisher looks whether it has been told to stop."""
BACKOFF: Final = (0.1, 5.0)
"""Seconds between two tries: at first, and at most."""


class Feed(Protocol):
    """The log as it is published."""

    def head(self) -> int: ...
    def read_texts(self, after: int, limit: int) -> list[StoredText]: ...
    def read_at(self, positions: Sequence[int]) -> list[StoredEvent]: ...
    def wait(self, after: int, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """How the topic is made where it is missing."""

    partitions: int = 6
    replication: int = 1


Watch = Callable[[Sequence[StoredText]], AbstractContextManager[None]]
"""Entered before the next of these events are shipped, left when they are in the topic."""


def _unwatched(_texts: Sequence[StoredText]) -> AbstractContextManager[None]:
    return nullcontext()


class Publisher:
    """Publishes one log. What it does can be watched from other threads, and each batch by `watch`."""

    def __init__(self, feed: Feed, cluster: Cluster, lock: PublisherLock, layout: Layout | None = None, watch: Watch = _unwatched) -> None:
        self._feed = feed
        self._cluster = cluster
        self._lock = lock
        self._layout = layout or Layout()
        self._watch = watch
        self._topic: Topic | None = None
        self.position = 0
        """Everything up to here is in the topic."""
        self.head = 0
        """The log's last position, when it was looked at last."""
        self.epoch = 0
        """Which publisher this is: one more than the one before, in this topic."""
        self.shipped = 0
        """Events that this process has shipped."""
        self.outages = 0
        """How often Kafka or the log could not be reached, or a shipment had to be begun anew."""
        self.answering = False
        """Whether the last thing that was tried worked."""

    @property
    def lag(self) -> int:
        """How many events are not in the topic yet."""
        return max(0, self.head - self.position)

    def run(self, stop: Flag, *, once: bool = False, told: Callable[[int, int], None] | None = None) -> None:
        """Publish until told to stop, or (`once`) everything is published that was there; `told` hears position and head.

        Outages are waited for, but for one at the very beginning, and with `once`. Raises PublisherRunning, TopicBroken, KafkaRefused,
        KafkaUnavailable or LogUnavailable, and what reading the log raises.
        """
        began, pause = False, BACKOFF[0]
        while not stop.is_set():
            try:
                with self._lock:
                    self._shipped(stop, once=once, told=told)
                    return
            except (KafkaUnavailable, LogUnavailable) as error:
                began = began or self.epoch > 0
                if once or not began:
                    raise
                if self.answering:
                    pause = BACKOFF[0]
                self._interrupted(error, pause)
                stop.wait(pause)
                pause = min(BACKOFF[1], 2 * pause)

    def _shipped(self, stop: Flag, *, once: bool, told: Callable[[int, int], None] | None) -> None:
        """One shipment, from what the topic has until the end."""
        shipment = self._begun()
        try:
            upto = self.head
            if told:
                told(self.position, self.head)
            while not stop.is_set() and not (once and self.position >= upto):
                texts = self._feed.read_texts(self.position, AT_ONCE)
                if not texts:
                    self._feed.wait(self.position, IDLE_SECONDS)
                    continue
                self._lock.verify()
                with self._watch(texts):
                    self.shipped += shipment.ship(texts, self._waiting)
                self._arrived(shipment.position, texts)
                if told:
                    told(self.position, self.head)
        finally:
            shipment.abandon()

    def _begun(self) -> Shipment:
        """Look what the topic has, and hold it against the log."""
        layout = self._layout
        found_in = self._topic = make_topic(
            self._cluster, self._cluster.events, partitions=layout.partitions, replication=layout.replication
        )
        found = tails(self._cluster, found_in.partitions)
        held_against(found, self._feed, found_in.name)
        shipment = Shipment(Sender(self._cluster, found_in.name), found)
        self.position, self.epoch, self.head, self.answering = shipment.position, shipment.epoch, self._feed.head(), True
        log.info("publishing to %s begins after position %d of %d, as publisher %d", found_in.name, self.position, self.head, self.epoch)
        return shipment

    def _arrived(self, position: int, texts: Sequence[StoredText]) -> None:
        if not self.answering:
            log.info("Kafka answers again; position %d is published", position)
        self.answering = True
        self.position = position
        full = len(texts) == AT_ONCE or position < texts[-1].position
        self.head = max(self._feed.head() if full else texts[-1].position, position)

    def _waiting(self, seconds: float) -> None:
        """There is no answer: say so, and see whether the topic is still the one that is being shipped to."""
        if self.answering:
            self.answering = False
            self.outages += 1
            log.warning(
                "Kafka at %s has not answered for %.1f seconds; published is position %d", self._cluster.servers, seconds, self.position
            )
        try:
            found = find_topic(self._cluster, self._cluster.events)
        except KafkaUnavailable:
            return
        if self._topic is not None and (found is None or found.identity != self._topic.identity):
            raise Unsure("kafka.unsure", f"the topic {self._topic.name} was deleted")

    def _interrupted(self, error: Exception, pause: float) -> None:
        """Say what happened; the shipment is begun anew from what the topic has."""
        if self.answering:
            self.outages += 1
        self.answering = False
        log.warning("publishing was interrupted after position %d, and begins again in %.1f seconds: %s", self.position, pause, str(error))
