"""Publishing one Daybook's log to Kafka until the process is told to stop."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from opentelemetry.trace import SpanKind

from api.cluster import cluster_of
from api.folder import Folder
from api.observing import families
from api.observing.exposing import telling
from api.observing.metrics import Sample
from api.observing.tracing import Tracing
from api.settings import Settings
from api.stopping import stopped_by_signals
from api.wiring import open_books
from bus.kafka.publisher import Layout, Publisher
from bus.publisher_lock import publisher_lock
from bus.stored_text import StoredText

Told = Callable[[int, int], None]


def publish(settings: Settings, *, once: bool, begun: Callable[[Publisher], None], told: Told) -> Publisher:
    """Publish until SIGTERM or SIGINT, or (`once`) what there is; `begun` is told who publishes, `told` how far it has come.

    Raises what `Publisher.run` and `open_books` raise, and InvalidSettings.
    """
    cluster = cluster_of(settings)
    layout = Layout(settings.kafka_partitions, settings.kafka_replication)
    with open_books(settings) as books, telling(settings, "publish") as telemetry, stopped_by_signals() as stop:
        url = settings.log_url.get_secret_value() if settings.log_url else None
        lock = publisher_lock(url, Folder(settings.data).publish_lock)
        publisher = Publisher(books.log, cluster, lock, layout, watch=partial(traced, telemetry.tracing))
        telemetry.metrics.watch("publisher", lambda: samples(publisher))
        begun(publisher)
        publisher.run(stop, once=once, told=told)
        return publisher


def traced(tracing: Tracing, texts: Sequence[StoredText]) -> AbstractContextManager[None]:
    """A span over a batch, in the trace that its events came from or linked to those."""
    return tracing.over("publish", [text.cause() for text in texts] if tracing.on else (), kind=SpanKind.PRODUCER)


def samples(publisher: Publisher) -> Iterable[Sample]:
    """What operators watch of a publisher."""
    yield families.PUBLISHED_POSITION, (), publisher.position
    yield families.PUBLISHED_LAG, (), publisher.lag
    yield families.PUBLISHED_EVENTS, (), publisher.shipped
    yield families.PUBLISHER_OUTAGES, (), publisher.outages
    yield families.PUBLISHER_ANSWERED, (), float(publisher.answering)
