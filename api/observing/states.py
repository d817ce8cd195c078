"""What the parts of an open Daybook say of themselves when somebody looks at the metrics."""

from collections.abc import Iterator
from typing import Protocol

from api.observing import families as f
from api.observing.metrics import Metrics, Sample
from api.streams import Streams
from api.tables import Tables
from api.webhooks.office import Webhooks
from bus.webhooks.model import State as Delivered
from projections.engine import FoldHealth
from readmodels.layout import State
from replay.archive.archive import Archive
from replay.audit.auditor import Auditor


class Headed(Protocol):
    """The log."""

    def head(self) -> int: ...


def watch_all(
    metrics: Metrics, log: Headed, tables: Tables, streams: Streams, archive: Archive, auditor: Auditor, webhooks: Webhooks
) -> None:
    """Let all parts of a server be asked, each for itself, so that one that fails hides no other.

    Whatever has a queue, a lag or a position of its own is added here.
    """
    metrics.watch("log", lambda: [(f.HEAD, (), log.head())])
    metrics.watch("read models", lambda: read_models(tables, log.head()))
    metrics.watch("builds", lambda: builds(tables))
    metrics.watch("feed", lambda: [(f.STREAMS, (), streams.count)])
    metrics.watch("archive", lambda: archived(archive))
    metrics.watch("audit", lambda: audited(auditor, log.head()))
    metrics.watch("webhooks", lambda: webhooks_of(webhooks))


def read_models(tables: Tables, head: int) -> Iterator[Sample]:
    """How far each home and each read model is, and whether something keeps it from going on."""
    for home, engine in tables.engines.items():
        serving = [each for each in engine.health() if each.state is State.SERVING]
        for each in serving:
            yield from _read_model(each, head)
        position = min((each.position for each in serving if not each.stale and each.error is None), default=head)
        follower = tables.following.get(home)
        yield f.HOME_POSITION, (home.value,), position
        yield f.HOME_LAG, (home.value,), max(0, head - position)
        yield f.HOME_FAILING, (home.value,), float(follower is not None and follower.trouble is not None)


def _read_model(each: FoldHealth, head: int) -> Iterator[Sample]:
    labels = (each.home.value, each.fold)
    yield f.FOLD_POSITION, labels, each.position
    yield f.FOLD_LAG, labels, each.lag
    yield f.FOLD_STOPPED, labels, float(each.error is not None)
    yield f.FOLD_STALE, labels, float(each.stale)
    for partition, position in enumerate(each.partitions):
        yield f.PARTITION_LAG, (each.fold, str(partition)), max(0, head - position)


def builds(tables: Tables) -> Iterator[Sample]:
    """The build that is going on, if there is one."""
    building = tables.building
    yield f.BUILD_RUNNING, (), float(building is not None)
    yield f.BUILD_DONE, (), building.done if building else 0
    yield f.BUILD_EXPECTED, (), building.total if building else 0


def archived(archive: Archive) -> Iterator[Sample]:
    """How far the archive is."""
    standing = archive.standing()
    yield f.ARCHIVE_POSITION, (), standing.position
    yield f.ARCHIVE_LAG, (), max(0, standing.head - standing.position)
    yield f.ARCHIVE_FAILING, (), float(archive.failure is not None)


def audited(auditor: Auditor, head: int) -> Iterator[Sample]:
    """How far the audit is."""
    size = auditor.tree.size
    yield f.AUDIT_POSITION, (), size
    yield f.AUDIT_LAG, (), max(0, head - size)
    yield f.AUDIT_FAILING, (), float(auditor.trouble is not None)


def webhooks_of(office: Webhooks) -> Iterator[Sample]:
    """How webhooks stand, all together."""
    standing = office.standing()
    active = [each for each in standing if each.subscription.state is Delivered.ACTIVE]
    for state in Delivered:
        yield f.WEBHOOKS, (state.value,), sum(each.subscription.state is state for each in standing)
    yield f.WEBHOOKS_FAILING, (), sum(each.subscription.failing_since is not None for each in active)
    yield f.WEBHOOK_LAG, (), max((each.lag for each in active), default=0)
    yield f.WEBHOOK_WAITING, (), sum(each.waiting for each in standing)
    yield f.WEBHOOK_DEAD, (), sum(each.dead for each in standing)
    yield f.WEBHOOK_IN_FLIGHT, (), sum(each.in_flight for each in standing)
