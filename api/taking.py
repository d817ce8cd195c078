"""Taking commands from Kafka until the process is told to stop."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Final

from api.cluster import cluster_of
from api.command_topic.taking import Taking
from api.observing import families
from api.observing.deciding import Watched
from api.observing.exposing import telling
from api.observing.metrics import Sample
from api.settings import Settings
from api.stopping import stopped_by_signals
from api.wiring import open_books
from bus.errors import LogUnavailable
from bus.kafka.cluster import Cluster
from bus.kafka.command_topic import CommandTopic
from bus.kafka.topics import make_topic
from commands.order import Job, Order, Outcome

COMMANDS: Final = "commands"
RECEIPTS: Final = "receipts"
REFUSED: Final = "commands.refused"
KEPT_DAYS: Final = 7
"""How long commands and their answers lie in topics that are made here: what senders wrote is not encrypted there."""


def take_commands(settings: Settings, *, once: bool, begun: Callable[[Taking], None]) -> Taking:
    """Take commands until SIGTERM or SIGINT, or (`once`) those that there are; `begun` is told who takes them.

    Raises InvalidSettings, KafkaUnavailable or KafkaRefused, and what `open_books` raises.
    """
    cluster = cluster_of(settings)
    with open_books(settings) as books, telling(settings, "take-commands") as telemetry, stopped_by_signals() as stopping:
        _make_topics(cluster, settings)
        watched = Watched(books.decides_on, books.log, telemetry)

        def execute(orders: Sequence[Order]) -> Sequence[Outcome]:
            return watched.execute_all([Job(orders)])[0]

        with closing(CommandTopic(cluster)) as topic:
            taking = Taking(
                topic,
                execute,
                stopping=stopping,
                receipts=cluster.topic(RECEIPTS),
                refusals=cluster.topic(REFUSED),
                largest=settings.max_command_bytes,
                outages=(LogUnavailable,),
            )
            telemetry.metrics.watch("taker", lambda: _samples(taking))
            begun(taking)
            taking.run(once=once)
        return taking


def _make_topics(cluster: Cluster, settings: Settings) -> None:
    for name in (COMMANDS, RECEIPTS, REFUSED):
        make_topic(
            cluster, cluster.topic(name), partitions=settings.kafka_partitions, replication=settings.kafka_replication, days=KEPT_DAYS
        )


def _samples(taking: Taking) -> Iterable[Sample]:
    """What operators watch of a taker; what became of the commands is counted as with every door."""
    yield families.TAKEN, (), taking.taken
    yield families.TAKER_FAILING, (), float(taking.trouble is not None)
