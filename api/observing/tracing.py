"""Spans, sent to whoever collects them by OTLP over HTTP; off unless an address is set, and then nothing is done for them."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, NoOpTracer, SpanContext, SpanKind, Tracer, TracerProvider, set_span_in_context

from api.settings import Settings
from api.version import VERSION
from bus.traces import Caused, origins_of

SCOPE: Final = "daybook"
PATH: Final = "/v1/traces"


class Tracing:
    """Begins the spans of one process. `on` says whether anybody wants them."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.on = provider is not None
        self.tracer: Tracer = provider.get_tracer(SCOPE, VERSION) if provider else NoOpTracer()

    @contextmanager
    def over(self, name: str, events: Sequence[Caused], *, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> Generator[None]:
        """A span over what is done with a batch of events: in the trace that caused them where that is one, linked to all of them otherwise."""
        if not self.on:
            yield
            return
        origins = origins_of(events)
        told = {"daybook.events": len(events), **{f"daybook.{key}": value for key, value in attributes.items()}}
        with self.tracer.start_as_current_span(
            name, home_of(origins), kind, told, [*map(Link, origins)], record_exception=False, set_status_on_exception=False
        ):
            yield


def home_of(origins: Sequence[SpanContext]) -> Context:
    """Where a span over what these caused belongs: to the one that there is, to a trace of its own where there are several."""
    return under(origins[0]) if len(origins) == 1 else Context()


def under(parent: SpanContext) -> Context:
    """A context in which spans are children of this one."""
    return set_span_in_context(NonRecordingSpan(parent), Context())


@contextmanager
def open_tracing(settings: Settings, role: str) -> Generator[Tracing]:
    """Tracing as it is set; what has been collected is sent before it ends."""
    if settings.traces is None:
        yield Tracing()
        return
    # The exporter takes a tenth of a second to load, and most processes trace nothing.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider as Provider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    resource = Resource.create({SERVICE_NAME: f"daybook-{role}", SERVICE_VERSION: VERSION})
    # Events name their trace but not whether it was sampled; the ratio goes by the trace's id, so it says the same again.
    share = TraceIdRatioBased(settings.traces_ratio)
    provider = Provider(sampler=ParentBased(share, remote_parent_sampled=share), resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint_of(settings.traces))))
    try:
        yield Tracing(provider)
    finally:
        provider.shutdown()


def endpoint_of(address: str) -> str:
    """Where spans are posted: the address with OTLP's own path, unless it has one."""
    return address if urlsplit(address).path.strip("/") else address.rstrip("/") + PATH
