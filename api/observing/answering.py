"""Each request as it is watched: counted and timed by its route, a span around it, and a line in the log when it is not answered well."""

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from http import HTTPMethod
from time import perf_counter
from typing import Any, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Histogram
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.asking import refuse
from api.observing import logs
from api.observing.families import HTTP_OPEN
from api.observing.metrics import Sample
from api.observing.note import NOTE, Note
from api.observing.telemetry import Telemetry
from api.problems import fault

NONE: Final = "none"
METHODS: Final = frozenset(HTTPMethod)
_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
log: Final = logs.logger(__name__)
every: Final = logging.getLogger(__name__)
UNTRACED: Final = nullcontext()


class Answering:
    """An ASGI application around another, which it answers for when that fails before it has answered."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._plain: dict[Any, str] = {route.endpoint: route.path for route in routes if isinstance(route, Route)}
        self._plain |= {route.app: route.path for route in routes if isinstance(route, Mount)}
        self._metrics = telemetry.metrics
        self._tracing = telemetry.tracing
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._open = 0
        telemetry.metrics.watch("http", self._told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        note = Note()
        present = NOTE.set(note)
        self._open += 1
        try:
            with self._span(scope, note) if self._tracing.on else UNTRACED:
                await self._answer(note, scope, receive, send)
        finally:
            self._open -= 1
            NOTE.reset(present)

    async def _answer(self, note: Note, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                note.status = message["status"]
            await send(message)

        began = perf_counter()
        failure: Exception | None = None
        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller is told that it failed, and the log why
            failure = error
            if not note.status:
                await refuse(noted, fault(scope["method"], scope["path"], error))
        finally:
            seconds = perf_counter() - began
            route = self._route(scope)
            self._count(scope["method"], route, note.status, seconds)
        if failure is not None or note.status >= 400 or every.isEnabledFor(logging.DEBUG):
            tell(scope["method"], route, note, seconds, failure)

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        counted = self._known.get((method, route, status))
        if counted is None:
            known = method in METHODS
            labels = (method if known else NONE, route)
            counted = self._metrics.requests.labels(*labels, str(status or NONE)), self._metrics.request_seconds.labels(*labels)
            if known:
                self._known[method, route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def _told(self) -> Iterator[Sample]:
        yield HTTP_OPEN, (), self._open

    def _route(self, scope: Scope) -> str:
        """The template of the route that was found; never the path, which may say anything."""
        template: str | None = scope.get("template")
        if template is None:
            template = getattr(scope.get("route"), "path", None)
        return template if template is not None else self._plain.get(scope.get("endpoint"), NONE)

    @contextmanager
    def _span(self, scope: Scope, note: Note) -> Generator[None]:
        method = scope["method"] if scope["method"] in METHODS else "HTTP"
        asked = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
        headers = {asked[name]: value.decode("latin-1") for name, value in scope["headers"] if name in asked}
        with self._tracing.tracer.start_as_current_span(
            method, _TRACE_CONTEXT.extract(headers), SpanKind.SERVER, {"http.request.method": method}, record_exception=False
        ) as span:
            context = span.get_span_context()
            if span.is_recording():
                note.trace_id, note.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
            yield
            _finish(span, method, self._route(scope), note)


def _finish(span: Span, method: str, route: str, note: Note) -> None:
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.route": route, "http.response.status_code": note.status})
    if note.code is not None:
        span.set_attribute("daybook.code", note.code)
    if note.status >= 500:
        span.set_status(Status(StatusCode.ERROR, note.code))


def tell(method: str, route: str, note: Note, seconds: float, failure: Exception | None) -> None:
    """One line about a request."""
    said = {
        "method": method if method in METHODS else NONE,
        "route": route,
        "status": note.status,
        "code": note.code,
        "seconds": round(seconds, 4),
    }
    about = {key: value for key, value in said.items() if value is not None}
    if failure is not None or note.status == 500:
        log.error("request failed", exc_info=failure, **about)
    elif note.status > 500:
        log.warning("request not served", **about)
    elif note.status >= 400:
        log.info("request refused", **about)
    else:
        log.debug("request answered", **about)
