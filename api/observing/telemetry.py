"""What one process tells of itself: its metrics and its spans."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

from api.observing import families
from api.observing.metrics import Metrics
from api.observing.tracing import Tracing, open_tracing
from api.settings import Settings
from api.version import VERSION
from domain.envelope import StoredEvent
from projections.fold import Home

SERVE: Final = "serve"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Handed to every part that has something to tell; fulfils `projections.watching.Watch`."""

    metrics: Metrics = field(default_factory=Metrics)
    tracing: Tracing = field(default_factory=Tracing)

    @contextmanager
    def folding(self, home: Home, events: Sequence[StoredEvent], count: int) -> Generator[None]:
        """Time a batch of `count` positions that goes into the tables of a home; `events` are empty for a bulk load."""
        began = perf_counter()
        with self.tracing.over(f"fold {home}", events, home=home.value, positions=count):
            yield
        self.metrics.fold_seconds.labels(home.value).observe(perf_counter() - began)
        self.metrics.fold_events.labels(home.value).observe(count)
        if events:
            # An event that was recorded at no readable moment is for folds to refuse, not for who counts them.
            with suppress(ValueError, TypeError):
                waited = datetime.now(UTC) - datetime.fromisoformat(events[0].recorded_at)
                self.metrics.fold_delay.labels(home.value).observe(max(0.0, waited.total_seconds()))


@contextmanager
def open_telemetry(settings: Settings, role: str) -> Generator[Telemetry]:
    """The telemetry of a process that does `role` (`serve`, `publish`, `work`)."""
    with open_tracing(settings, role) as tracing:
        telemetry = Telemetry(Metrics(), tracing)
        telemetry.metrics.watch("process", lambda: [(families.INFO, (VERSION, role), 1.0)])
        yield telemetry
