"""The metrics of one process: what is counted as it happens, and what is asked for when somebody looks."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, Metric, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.observing import families
from api.observing.families import Family, Kind

log: Final = logging.getLogger(__name__)

Sample = tuple[Family, tuple[str, ...], float]
"""A metric, the values of its labels, and its value now."""
Part = Callable[[], Iterable[Sample]]
"""A part of Daybook that is asked for its gauges and counters at each look; it may block for as long as one question to a database takes."""


class Metrics:
    """A registry of its own, so that any number of applications can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._parts = _Parts()
        self.registry.register(self._parts)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = self.counter(families.HTTP_REQUESTS)
        self.request_seconds = self.histogram(families.HTTP_SECONDS)
        self.commands = self.counter(families.COMMANDS)
        self.events = self.counter(families.EVENTS)
        self.append_seconds = self.histogram(families.APPEND_SECONDS)
        self.phase_seconds = self.histogram(families.PHASE_SECONDS)
        self.group_size = self.histogram(families.GROUP_SIZE)
        self.fold_seconds = self.histogram(families.FOLD_SECONDS)
        self.fold_events = self.histogram(families.FOLD_EVENTS)
        self.fold_delay = self.histogram(families.FOLD_DELAY)

    def watch(self, name: str, part: Part) -> None:
        """Ask this part, too, from now on: the one place where queues, lags and positions are made visible.

        What it tells is declared in `api.observing.families`. Should it fail, the other parts are told all the same.
        """
        self._parts.named[name] = part

    def counter(self, family: Family) -> Counter:
        """A counter that is counted up as things happen."""
        return Counter(family.name, family.says, family.labels, registry=self.registry)

    def histogram(self, family: Family) -> Histogram:
        """A histogram that is told each value."""
        return Histogram(family.name, family.says, family.labels, registry=self.registry, buckets=family.buckets)


class _Parts(Collector):
    def __init__(self) -> None:
        self.named: dict[str, Part] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand, so that being registered asks nobody."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What every part says now."""
        told: dict[Family, Metric] = {}
        for name, part in list(self.named.items()):
            samples = _asked(name, part)
            for family, labels, value in (*(samples or ()), (families.SCRAPE_FAILED, (name,), float(samples is None))):
                if family not in told:
                    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
                    told[family] = kind(family.name, family.says, labels=family.labels)
                told[family].add_metric(labels, value)  # type: ignore[attr-defined] # both kinds have it
        yield from told.values()


def _asked(name: str, part: Part) -> list[Sample] | None:
    try:
        return list(part())
    except Exception:
        log.exception("%s could not be asked for its metrics", name)
        return None
