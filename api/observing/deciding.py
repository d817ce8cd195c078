"""The dispatcher as it is watched: what became of each command, how long a transaction took, and a span for each command in it."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from time import perf_counter, time_ns
from typing import Final

from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode
from prometheus_client import Counter as Counted

from api.observing.metrics import Metrics
from api.observing.telemetry import Telemetry
from api.observing.tracing import Tracing, home_of, under
from bus.traces import MOST_LINKS, origin_of
from commands.catalogue import COMMANDS
from commands.group import Deciding
from commands.log import EventLog, LogTransaction
from commands.order import Job, Order, Outcome, Refusal
from domain.errors import DaybookError

UNKNOWN: Final = "unknown"


class TimedLog:
    """A log whose transactions tell how long each of their parts took."""

    def __init__(self, log: EventLog, metrics: Metrics) -> None:
        self._log = log
        seconds = metrics.phase_seconds
        self._waited, self._decided, self._committed = (seconds.labels(phase) for phase in ("wait", "decide", "commit"))

    @contextmanager
    def transaction(self) -> Generator[LogTransaction]:
        """Become the only writer, as the log has it."""
        asked = perf_counter()
        with self._log.transaction() as transaction:
            begun = perf_counter()
            yield transaction
            decided = perf_counter()
        self._waited.observe(begun - asked)
        self._decided.observe(decided - begun)
        self._committed.observe(perf_counter() - decided)


class Watched:
    """A dispatcher that is watched."""

    def __init__(self, decides_on: Callable[[EventLog], Deciding], log: EventLog, telemetry: Telemetry) -> None:
        self._dispatcher = decides_on(TimedLog(log, telemetry.metrics))
        self._metrics = telemetry.metrics
        self._tracing = telemetry.tracing
        self._tally = Tally(telemetry.metrics)

    def execute_all(self, jobs: Sequence[Job]) -> list[list[Outcome]]:
        """Decide and append several jobs in one transaction. Raises what the dispatcher raises."""
        if not self._tracing.on:
            return self._counted(jobs)
        orders = [order for job in jobs for order in job.orders]
        with spans(self._tracing, orders) as end:
            outcomes = self._counted(jobs)
            end([outcome for job in outcomes for outcome in job])
        return outcomes

    def _counted(self, jobs: Sequence[Job]) -> list[list[Outcome]]:
        began = perf_counter()
        try:
            outcomes = self._dispatcher.execute_all(jobs)
        except BaseException as error:
            code = error.code if isinstance(error, DaybookError) else "daybook.fault"
            for job in jobs:
                self._tally.note([(order.name, "failed", code) for order in job.orders])
            raise
        self._metrics.append_seconds.observe(perf_counter() - began)
        self._metrics.group_size.observe(sum(len(job.orders) for job in jobs))
        self._tally.outcomes(jobs, outcomes)
        return outcomes


class Tally:
    """Counts what became of commands."""

    def __init__(self, metrics: Metrics) -> None:
        self._commands = metrics.commands
        self._events = metrics.events
        self._known: dict[tuple[str, str, str], Counted] = {}

    def refused(self, name: str | None, error: DaybookError) -> None:
        """A command that no dispatcher has seen, because the door refused it."""
        self.note([(name or UNKNOWN, "refused", error.code)])

    def outcomes(self, jobs: Sequence[Job], outcomes: Sequence[Sequence[Outcome]]) -> None:
        """What the dispatcher answered."""
        events = 0
        found: list[tuple[str, str, str]] = []
        for job, answered in zip(jobs, outcomes, strict=True):
            for order, outcome in zip(job.orders, answered, strict=True):
                if isinstance(outcome, Refusal):
                    found.append((order.name, "refused", outcome.error.code))
                elif outcome.repeated:
                    found.append((order.name, "repeated", ""))
                else:
                    found.append((order.name, "accepted", ""))
                    events += len(outcome.event_ids)
        self.note(found)
        if events:
            self._events.inc(events)

    def note(self, found: Sequence[tuple[str, str, str]]) -> None:
        """Count (name, outcome, code), each as often as it is there."""
        for kind, times in Counter(found).items():
            counted = self._known.get(kind)
            if counted is None:
                name, outcome, code = kind
                counted = self._known[kind] = self._commands.labels(name if name in COMMANDS else UNKNOWN, outcome, code)
            counted.inc(times)


@contextmanager
def spans(tracing: Tracing, orders: Sequence[Order]) -> Generator[Callable[[Sequence[Outcome]], None]]:
    """A span for the transaction, and one for each command in the trace that asked for it, linked to each other both ways."""
    began = time_ns()
    parents: list[SpanContext | None] = [origin_of(order.correlation_id, order.causation_id) for order in orders]
    origins = list({parent.span_id: parent for parent in parents if parent is not None}.values())[:MOST_LINKS]
    told = {"daybook.commands": len(orders)}
    with tracing.tracer.start_as_current_span("commit", home_of(origins), attributes=told, links=[*map(Link, origins)]) as commit:
        there = [Link(commit.get_span_context())]

        def end(outcomes: Sequence[Outcome]) -> None:
            ended = time_ns()
            for order, parent, outcome in zip(orders, parents, outcomes, strict=True):
                if parent is not None:
                    span = tracing.tracer.start_span(f"append {_named(order)}", under(parent), links=there, start_time=began)
                    _tell(span, outcome)
                    span.end(ended)

        yield end


def _named(order: Order) -> str:
    return order.name if order.name in COMMANDS else UNKNOWN


def _tell(span: Span, outcome: Outcome) -> None:
    if isinstance(outcome, Refusal):
        span.set_attribute("daybook.code", outcome.error.code)
        span.set_status(Status(StatusCode.ERROR, outcome.error.code))
        return
    span.set_attributes(
        {"daybook.position": outcome.position, "daybook.events": len(outcome.event_ids), "daybook.repeated": outcome.repeated}
    )
