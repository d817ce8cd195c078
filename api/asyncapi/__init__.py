"""The AsyncAPI 3 document: what travels over Kafka, in which topics, and what each message holds."""

from fastapi import FastAPI
from starlette.responses import JSONResponse

from api.asyncapi.document import document

__all__ = ["document", "install"]


def install(app: FastAPI) -> None:
    """Add `/asyncapi.json`."""
    described = JSONResponse(document(app.version))
    app.add_api_route("/asyncapi.json", lambda: described, include_in_schema=False, methods=["GET"])
