"""One command is one trace, from the request through the append to what is folded; and it is sent where the settings say."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.testclient import TestClient

from api.app import create_server
from api.observing.deciding import Watched
from api.observing.metrics import Metrics
from api.observing.telemetry import Telemetry
from api.observing.tracing import Tracing, endpoint_of
from api.publishing import traced
from api.settings import Settings
from api.webhooks.deliverer import delivering
from api.wiring import Daybook, open_daybook
from bus.kafka.cluster import Cluster
from bus.kafka.publisher import Publisher
from bus.publisher_lock import FileLock
from bus.traces import origin_of, traceparent_of
from commands.order import Job, Order
from tests.api.webhooks.receiver import receiving
from tests.kafka_broker.broker import Broker

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


class Seen:
    """What was traced so far."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.telemetry = Telemetry(Metrics(), Tracing(provider))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def one(self, name: str) -> ReadableSpan:
        [found] = [span for span in self.spans if span.name == name]
        return found


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


def links_of(span: ReadableSpan) -> set[tuple[str, str]]:
    return {(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links}


@contextmanager
def serving(settings: Settings, telemetry: Telemetry | None = None) -> Iterator[tuple[Daybook, TestClient]]:
    with open_daybook(settings, telemetry=telemetry) as daybook, TestClient(create_server(daybook), base_url="http://127.0.0.1") as http:
        yield daybook, http


def register(http: TestClient, name: str, headers: dict[str, str] | None = None) -> int:
    return http.post("/v1/commands/register_customer", json={"name": name}, headers=headers or {}).json()["position"]


def test_one_command_is_one_trace_from_the_request_through_append_to_the_folds(settings: Settings) -> None:
    seen = Seen()
    with serving(settings, seen.telemetry) as (daybook, http):
        position = register(http, "Kwik-E-Mart", TRACEPARENT)
        daybook.reach(position)
        [event] = daybook.books.log.read(0, 10)
    request = seen.one("POST /v1/commands/{name}")
    trace, span = ids(request)
    assert (trace, parent_of(request)) == (TRACE, SPAN), "it goes on in the caller's trace"
    assert (event.correlation_id, event.causation_id) == (trace, span), "events name the span that asked for them"
    assert traceparent_of(event) == f"00-{trace}-{span}-01"
    for name in ("append register_customer", "commit", "fold lookups", "fold facts"):
        assert (ids(seen.one(name))[0], parent_of(seen.one(name))) == (trace, span), name
    for name in ("commit", "fold lookups", "fold facts"):
        assert links_of(seen.one(name)) == {(trace, span)}
    assert links_of(seen.one("append register_customer")) == {ids(seen.one("commit"))}
    assert dict(seen.one("append register_customer").attributes or {})["daybook.position"] == position
    assert dict(request.attributes or {})["http.response.status_code"] == 200


def test_a_trace_that_begins_here_is_in_the_events_too(settings: Settings) -> None:
    seen = Seen()
    with serving(settings, seen.telemetry) as (daybook, http):
        register(http, "Kwik-E-Mart")
        [event] = daybook.books.log.read(0, 10)
    request = seen.one("POST /v1/commands/{name}")
    assert request.parent is None
    assert (event.correlation_id, event.causation_id) == ids(request)


def test_a_trace_goes_on_through_publishing_and_webhooks(
    settings: Settings, kafka_server: Broker, topics_prefix: str, data_folder: Path
) -> None:
    seen = Seen()
    open_to_all = settings.model_copy(update={"webhook_private": True})
    with serving(open_to_all, seen.telemetry) as (daybook, http), receiving() as receiver, delivering(daybook):
        assert http.post("/v1/webhooks", json={"url": receiver.url}).status_code == 201
        register(http, "Kwik-E-Mart", TRACEPARENT)
        receiver.until(1)
        watch = partial(traced, seen.telemetry.tracing)
        cluster = Cluster(kafka_server.address, topics_prefix)
        Publisher(daybook.books.log, cluster, FileLock(data_folder / "publish.lock"), watch=watch).run(threading.Event(), once=True)
    asked = ids(seen.one("POST /v1/commands/{name}"))
    for name, kind in (("publish", SpanKind.PRODUCER), ("deliver to webhook", SpanKind.CLIENT)):
        span = seen.one(name)
        assert (ids(span)[0], parent_of(span), span.kind) == (*asked, kind), name


def test_commands_of_many_traces_in_one_transaction_and_one_batch_are_linked(settings: Settings) -> None:
    seen = Seen()
    origins = {(f"{n:032x}", f"{n:016x}") for n in (1, 2, 3)}
    with serving(settings) as (daybook, _):
        jobs = [
            Job(
                [
                    Order(
                        name="register_customer",
                        data={"name": trace[-3:]},
                        actor="user:t",
                        source="api",
                        correlation_id=trace,
                        causation_id=span,
                    )
                ]
            )
            for trace, span in sorted(origins)
        ]
        Watched(daybook.books.decides_on, daybook.books.log, seen.telemetry).execute_all(jobs)
    with serving(settings, seen.telemetry):
        pass
    commit = seen.one("commit")
    assert commit.parent is None
    assert links_of(commit) == origins
    appends = [span for span in seen.spans if span.name.startswith("append ")]
    assert {(ids(span)[0], parent_of(span)) for span in appends} == origins
    assert {link for span in appends for link in links_of(span)} == {ids(commit)}
    assert links_of(seen.one("fold lookups")) == origins
    assert seen.one("fold lookups").parent is None


def test_a_refused_command_says_so_in_its_trace_and_nothing_of_what_it_said(settings: Settings) -> None:
    seen = Seen()
    with serving(settings, seen.telemetry) as (_, http):
        for _ in range(2):
            http.post("/v1/commands/register_customer", json={"customer_id": {"source": "erp", "id": "marge@example.com"}, "name": "Marge"})
        http.get("/v1/customers/marge@example.com")
    refused = [span for span in seen.spans if not span.status.is_ok and span.name == "append register_customer"]
    assert [dict(span.attributes or {})["daybook.code"] for span in refused] == ["customer.exists"]
    told = "".join(span.to_json() for span in seen.spans)
    assert "marge" not in told.lower()
    assert "GET /v1/customers/{customer_id}" in told


def test_the_commands_of_a_bulk_are_in_the_trace_of_their_request_unless_they_name_another(settings: Settings) -> None:
    lines = [
        {"command": "register_customer", "data": {"name": "a"}},
        {"command": "register_customer", "data": {"name": "b"}, "correlation_id": "batch 7", "causation_id": "line 2"},
    ]
    with serving(settings) as (daybook, http):
        http.post("/v1/commands", json=lines, headers=TRACEPARENT)
        found = [(event.correlation_id, event.causation_id) for event in daybook.books.log.read(0, 10)]
    assert found == [(TRACE, SPAN), ("batch 7", "line 2")]


def test_without_tracing_events_name_the_callers_trace_and_nothing_else_is_done(settings: Settings) -> None:
    with serving(settings) as (daybook, http):
        register(http, "a", TRACEPARENT)
        register(http, "b")
        found = [(event.correlation_id, event.causation_id) for event in daybook.books.log.read(0, 10)]
        assert not daybook.telemetry.tracing.on
    assert found == [(TRACE, SPAN), (None, None)]


@pytest.mark.parametrize(
    ("correlation_id", "causation_id"),
    [(None, None), (TRACE, None), ("batch 7", SPAN), (TRACE, "line 2"), ("0" * 32, SPAN), (TRACE, "0" * 16)],
)
def test_what_names_no_span_leads_nowhere(correlation_id: str | None, causation_id: str | None) -> None:
    assert origin_of(correlation_id, causation_id) is None


@contextmanager
def receiver() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector of spans: its address, and what it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            received.append(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def test_spans_are_sent_by_otlp_over_http_at_the_latest_when_the_process_ends(settings: Settings) -> None:
    with receiver() as (address, received):
        with serving(settings.model_copy(update={"traces": address})) as (daybook, http):
            daybook.reach(register(http, "Kwik-E-Mart", TRACEPARENT))
        resources = [resource for request in received for resource in request.resource_spans]
    names = {span.name: span.trace_id.hex() for resource in resources for scope in resource.scope_spans for span in scope.spans}
    assert names == dict.fromkeys(("POST /v1/commands/{name}", "append register_customer", "commit", "fold lookups", "fold facts"), TRACE)
    services = {each.value.string_value for resource in resources for each in resource.resource.attributes if each.key == "service.name"}
    assert services == {"daybook-serve"}


def test_a_share_of_traces_is_sent_whole_or_not_at_all(settings: Settings) -> None:
    with receiver() as (address, received):
        with serving(settings.model_copy(update={"traces": address, "traces_ratio": 0.0})) as (daybook, http):
            daybook.reach(register(http, "Kwik-E-Mart"))
        assert received == []


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://collector.example/otlp/v1/traces", "https://collector.example/otlp/v1/traces"),
    ],
)
def test_spans_go_to_otlps_own_path_unless_another_is_named(address: str, endpoint: str) -> None:
    assert endpoint_of(address) == endpoint
