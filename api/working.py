"""One worker: it folds the events that Kafka delivers into the lookups, until the process is told to stop."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from threading import Event, Thread
from typing import Final

from api.archiving import open_archive
from api.cluster import cluster_of
from api.folder import Folder, held
from api.observing import families
from api.observing.exposing import telling
from api.observing.metrics import Sample
from api.problems import Unavailable
from api.settings import InvalidSettings, Settings
from api.tables import open_lookups
from api.wiring import open_books
from bus.errors import LogUnavailable
from bus.log import Log
from domain.errors import DaybookError
from projections import versions
from projections.build import Progress
from projections.catalogue import FOLDS
from projections.engine import Engine
from projections.homes import LookupTables
from projections.watching import Watch
from projections.worker import RETRY_SECONDS, Standing, Worker
from readmodels.layout import State
from replay.archive.archive import Archive
from replay.rebuild import rebuild

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = 5.0
"""Seconds between two looks at whether another process has rebuilt what is stale."""

Tell = Callable[[Standing], None]


def work(settings: Settings, stopping: Event, tell: Tell, *, once: bool = False, progress: Progress | None = None) -> None:
    """Fold until `stopping` is set; with `once`, until what is in the topic now is folded. Waits while the databases cannot be reached.

    Lookups that are not there yet are built from the log first, those of another declaration meanwhile; `progress` is told. Raises
    InvalidSettings where no Kafka or no PostgreSQL for the lookups is named.
    """
    cluster = cluster_of(settings)
    if settings.lookups_url is None:
        raise InvalidSettings("workers fold into PostgreSQL: set DAYBOOK_LOOKUPS_URL")
    failures = 0
    with telling(settings, "work") as telemetry:
        while not stopping.is_set():
            try:
                with _opened(settings, settings.lookups_url.get_secret_value(), stopping, progress, telemetry) as engine:
                    worker = Worker(engine, cluster, tell=tell, stopping=stopping)
                    telemetry.metrics.watch("worker", partial(_samples, worker))
                    worker.run(once=once)
            except (LogUnavailable, *LookupTables.outages) as error:
                tell(Standing((), 0, 0, str(getattr(error, "orig", None) or error).splitlines()[0]))
                stopping.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
            else:
                return


def _samples(worker: Worker) -> Iterator[Sample]:
    """What operators watch of a worker."""
    yield families.WORKER_EVENTS, (), worker.events
    yield families.WORKER_PARTITIONS, (), len(worker.assigned)
    yield families.WORKER_FAILING, (), float(worker.trouble is not None)


@contextmanager
def _opened(settings: Settings, lookups_url: str, stopping: Event, progress: Progress | None, watch: Watch) -> Generator[Engine]:
    """The lookups, ready to be folded by this worker and others."""
    with open_books(settings) as books:
        store = open_lookups(lookups_url)
        try:
            engine = Engine(LookupTables(store, shared=True), FOLDS, books.log, watch=watch)
            with _archive(settings, books.log) as archive:
                stale = versions.start(books.log, [engine], progress, archive)
            freshening = Thread(target=_freshen, args=(engine, stale, stopping), name="freshen", daemon=True)
            freshening.start()
            yield engine
        finally:
            store.close()


@contextmanager
def _archive(settings: Settings, feed: Log) -> Generator[Archive | None]:
    """The data folder's archive, unless another process works there."""
    with ExitStack() as closing:
        archive: Archive | None = None
        with suppress(Unavailable):
            closing.enter_context(held(Folder(settings.data)))
            archive = closing.enter_context(open_archive(settings, feed, follow=False))
        yield archive


def _freshen(engine: Engine, stale: Sequence[str], stopping: Event) -> None:
    """Rebuild what another declaration folded, unless another process does so first; what serves goes on serving."""
    while stale and not stopping.is_set():
        try:
            rebuild(engine.feed, [engine], stale)
        except (DaybookError, *LookupTables.outages) as error:
            log.warning("%s could not be rebuilt by today's declaration yet: %s", ", ".join(stale), error)
            stopping.wait(LOOK_AGAIN)
        fresh = {target.plan.name for target in engine.current(State.SERVING)}
        stale = [name for name in stale if name not in fresh]
