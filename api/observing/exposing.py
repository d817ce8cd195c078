"""Where the metrics are read: a route of a server, and an address of their own for processes that serve nothing else."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Response
from prometheus_client import start_http_server
from prometheus_client.exposition import choose_encoder

from api.observing.metrics import Metrics
from api.observing.telemetry import Telemetry, open_telemetry
from api.problems import Unavailable
from api.settings import Settings

LOOPBACK: Final = "127.0.0.1"
FORMS: Final = ("text/plain", "application/openmetrics-text")
TOLD: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {form: {"schema": {"type": "string"}} for form in FORMS}}}


def metrics_routes(metrics: Metrics) -> APIRouter:
    """The route of a server's metrics."""
    router = APIRouter(tags=["operation"])

    @router.get("/metrics", response_class=Response, responses=TOLD)
    def metrics_now(accept: Annotated[str | None, Header(include_in_schema=False)] = None) -> Response:
        """What this process counts and measures, for Prometheus: as OpenMetrics where that is accepted, else in its text format."""
        encode, content_type = choose_encoder(accept or "")
        return Response(encode(metrics.registry), media_type=content_type)

    return router


@contextmanager
def telling(settings: Settings, role: str) -> Generator[Telemetry]:
    """The telemetry of a process that serves no HTTP (`publish`, `work`); with `metrics_port` its metrics are read at `/metrics` there.

    What it has to tell besides is added by `telemetry.metrics.watch(…)`. Raises Unavailable `metrics.address_taken`.
    """
    with open_telemetry(settings, role) as telemetry:
        if settings.metrics_port is None:
            yield telemetry
            return
        with served(telemetry.metrics, settings.metrics_port):
            yield telemetry


@contextmanager
def served(metrics: Metrics, port: int) -> Generator[int]:
    """Serve metrics on this machine only; the port, a free one for 0. Raises Unavailable `metrics.address_taken`."""
    try:
        server, thread = start_http_server(port, LOOPBACK, metrics.registry)
    except OSError as error:
        message = f"{LOOPBACK}:{port} cannot be served on ({error.strerror}); choose another with DAYBOOK_METRICS_PORT"
        raise Unavailable("metrics.address_taken", message) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
