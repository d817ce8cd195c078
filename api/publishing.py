"""Publishing one Daybook's log to Kafka until the process is told to stop."""

import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from threading import Event as Flag
from types import FrameType
from typing import Final

from api.folder import Folder
from api.observing import families
from api.observing.exposing import telling
from api.observing.metrics import Sample
from api.settings import InvalidSettings, Settings
from api.wiring import open_books
from bus.kafka.cluster import Access, Cluster
from bus.kafka.publisher import Layout, Publisher
from bus.publisher_lock import publisher_lock

Told = Callable[[int, int], None]
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def cluster_of(settings: Settings) -> Cluster:
    """The Kafka cluster that the settings name. Raises InvalidSettings when they name none."""
    if not settings.kafka:
        raise InvalidSettings("no Kafka is named: set DAYBOOK_KAFKA=host:port")
    access = Access(
        protocol=settings.kafka_security_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
        cafile=str(settings.kafka_cafile) if settings.kafka_cafile else None,
    )
    return Cluster(settings.kafka, settings.topics_prefix, access)


def publish(settings: Settings, *, once: bool, begun: Callable[[Publisher], None], told: Told) -> Publisher:
    """Publish until SIGTERM or SIGINT, or (`once`) what there is; `begun` is told who publishes, `told` how far it has come.

    Raises what `Publisher.run` and `open_books` raise, and InvalidSettings.
    """
    cluster = cluster_of(settings)
    layout = Layout(settings.kafka_partitions, settings.kafka_replication)
    with open_books(settings) as books, telling(settings, "publish") as telemetry, _stopped_by_signals() as stop:
        url = settings.log_url.get_secret_value() if settings.log_url else None
        publisher = Publisher(books.log, cluster, publisher_lock(url, Folder(settings.data).publish_lock), layout)
        telemetry.metrics.watch("publisher", lambda: samples(publisher))
        begun(publisher)
        publisher.run(stop, once=once, told=told)
        return publisher


def samples(publisher: Publisher) -> Iterable[Sample]:
    """What operators watch of a publisher."""
    yield families.PUBLISHED_POSITION, (), publisher.position
    yield families.PUBLISHED_LAG, (), publisher.lag
    yield families.PUBLISHED_EVENTS, (), publisher.shipped
    yield families.PUBLISHER_OUTAGES, (), publisher.outages
    yield families.PUBLISHER_ANSWERED, (), float(publisher.answering)


@contextmanager
def _stopped_by_signals() -> Generator[Flag]:
    """A flag that signals raise; what is under way is finished."""
    stop = Flag()

    def raised(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, raised) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
