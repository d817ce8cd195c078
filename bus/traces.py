"""Finding the way back from an event to the request that caused it: its metadata name the trace and the span (W3C trace context)."""

import re
from collections.abc import Iterable
from typing import Final, Protocol

from opentelemetry.trace import Link, SpanContext, TraceFlags

from domain.envelope import StoredEvent

MOST_LINKS: Final = 128
"""Links that one span carries: as many as trace stores keep."""
_TRACE = re.compile(r"[0-9a-f]{32}")
_SPAN = re.compile(r"[0-9a-f]{16}")


class Caused(Protocol):
    """What names the trace and the span that it came from."""

    @property
    def correlation_id(self) -> str | None: ...
    @property
    def causation_id(self) -> str | None: ...


def origin_of(correlation_id: str | None, causation_id: str | None) -> SpanContext | None:
    """The span that caused an event; None where its metadata name none (they may be any text that a caller chose)."""
    if correlation_id is None or causation_id is None or not _TRACE.fullmatch(correlation_id) or not _SPAN.fullmatch(causation_id):
        return None
    origin = SpanContext(int(correlation_id, 16), int(causation_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return origin if origin.is_valid else None


def traceparent_of(event: StoredEvent) -> str | None:
    """The same as a `traceparent` header, to be sent along with the event."""
    return traceparent(event.correlation_id, event.causation_id)


def traceparent(correlation_id: str | None, causation_id: str | None) -> str | None:
    """The same of an event's metadata."""
    origin = origin_of(correlation_id, causation_id)
    return f"00-{origin.trace_id:032x}-{origin.span_id:016x}-01" if origin else None


def origins_of(events: Iterable[Caused]) -> list[SpanContext]:
    """The spans that caused these events, each once and not more than a span can link to; the oldest first."""
    found: dict[tuple[int, int], SpanContext] = {}
    for event in events:
        origin = origin_of(event.correlation_id, event.causation_id)
        if origin is not None:
            found.setdefault((origin.trace_id, origin.span_id), origin)
            if len(found) == MOST_LINKS:
                break
    return list(found.values())


def links_of(events: Iterable[Caused]) -> list[Link]:
    """Links to the spans that caused these events, for a span over all of them."""
    return [Link(origin) for origin in origins_of(events)]
