"""All reads, put into an application."""

from fastapi import FastAPI

from api.front import Direct
from api.reading.context import Reading
from api.reading.customers import CustomerDoor, customer_routes
from api.reading.explaining import explaining_routes
from api.reading.figures import figure_routes
from api.reading.records import record_routes
from api.reading.waterfall import waterfall_routes
from api.reading.whatif import whatif_routes
from api.reading.work import work_routes
from api.wiring import Daybook


def install(app: FastAPI, daybook: Daybook) -> Direct:
    """Add the routes that ask the read models of `daybook`; the endpoints that a server may put in front of all routes."""
    reading = Reading(daybook)
    for router in (
        customer_routes(reading),
        figure_routes(reading),
        waterfall_routes(reading),
        work_routes(reading),
        record_routes(reading),
        explaining_routes(reading),
        whatif_routes(reading),
    ):
        app.include_router(router)
    return {("GET", "/v1/customers/"): ("customer_id", CustomerDoor(reading, app))}
