"""The HTTP application: its routes in the order in which they are looked for, its refusals, its document."""

from functools import cache
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.routing import Route
from starlette.types import ASGIApp

from api import asyncapi, openapi, pages, problems, reading
from api.archiving import archive_routes
from api.auditing import audit_routes
from api.body_limit import BodyLimit
from api.bulk_door import BulkDoor, Limits
from api.changes.routes import change_routes
from api.command_door import CommandDoor
from api.feed.routes import feed_routes
from api.front import Front
from api.health import health_routes
from api.host_check import HostCheck
from api.observing.answering import Answering
from api.observing.deciding import Tally
from api.observing.exposing import metrics_routes
from api.persons import person_routes
from api.sql import sql_routes
from api.version import VERSION
from api.webhooks.routes import webhook_routes
from api.wiring import Daybook

DESCRIPTION: Final = """Everything is written down once, as it happens; every list and figure is folded from that.

Commands answer with a receipt when they are durable. Give its `position` as `at_least` to a read that must see them."""

OWN_TELEMETRY_ONLY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own would log what it could not validate, with the values."""


def create_app(daybook: Daybook) -> FastAPI:
    """The application over an open Daybook, which it neither opens nor closes."""
    settings = daybook.settings
    app = FastAPI(
        title="Daybook",
        version=VERSION,
        summary="A CRM that is a book of original entry.",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        max_body_size=None,
        strict_content_type=False,
        redirect_slashes=False,
        telemetry=OWN_TELEMETRY_ONLY,
    )
    problems.install(app)
    app.add_middleware(BodyLimit, largest=settings.max_body_bytes)
    submit = daybook.submit
    refused = Tally(daybook.telemetry.metrics).refused
    bulk = BulkDoor(submit, Limits(settings.max_body_bytes, settings.max_bulk_commands), refused)
    door = CommandDoor(submit, largest=settings.max_command_bytes, refused=refused)
    app.router.routes[:0] = [
        Route("/v1/commands/{name}", door, methods=["POST"]),
        Route("/v1/commands", bulk, methods=["POST"]),
    ]
    for routes in (
        health_routes(daybook),
        metrics_routes(daybook.telemetry.metrics),
        archive_routes(daybook.archive),
        feed_routes(daybook.books, daybook.streams),
        sql_routes(daybook),
        person_routes(daybook),
        audit_routes(daybook.auditor, daybook.books.log, daybook.books.vault.decrypt_all),
        change_routes(daybook.books),
        webhook_routes(daybook),
    ):
        app.include_router(routes)
    app.state.direct = {("POST", "/v1/commands/"): ("name", door), **reading.install(app, daybook)}
    asyncapi.install(app)
    pages.install(app)
    app.openapi = cache(lambda: openapi.document(app))  # type: ignore[method-assign]
    return app


def create_server(daybook: Daybook) -> ASGIApp:
    """The application as it is served: only to this machine, with its busiest routes in front."""
    app = create_app(daybook)
    return Answering(HostCheck(Front(app, app.state.direct), daybook.settings.host), daybook.telemetry, app.routes)
