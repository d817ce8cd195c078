"""Customers and their timelines."""

import re
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from starlette.types import ASGIApp, Receive, Scope, Send

from api.asking import JSON, refuse, respond
from api.personal import personal_of
from api.problems import describe
from api.read_parameters import ReadParameters
from api.reading.context import POSITION, Reading, answer, encoded, question_of, responses
from api.reading.parameters import Paged
from api.reading.shapes import TimelineBody
from api.reading.shapes_of_records import CustomerBody
from commands.command import NO_CONTROL
from domain.errors import DaybookError
from projections.timeline import OF_A_CUSTOMER
from readmodels.customers import FOLDS as CUSTOMER_FOLDS
from readmodels.sentences import Language
from readmodels.timeline import FOLDS as TIMELINE_FOLDS
from readmodels.timeline import Order, Question, Wording, place, timeline, told

KINDS: Final = sorted({event.type for event in OF_A_CUSTOMER} | {event.type.partition(".")[0] for event in OF_A_CUSTOMER})
"""Kinds of records, and event types."""


def _known(name: str) -> str:
    if name not in KINDS:
        raise ValueError(f"give a kind of record or an event type: {', '.join(KINDS)}")
    return name


TimelineKind = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": KINDS})]
CustomerId = Annotated[UUID, Path(description="A customer's id.")]
POSITION_HEADER: Final = POSITION.lower().encode()
CANONICAL: Final = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""How ids are spelled everywhere; other spellings are understood at leisure."""


class ExternalParameters(ReadParameters):
    """A customer by another system's name for it."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)] = Field(description="The other system.")
    id: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)] = Field(description="Its id for the customer.")


class TimelineParameters(Paged):
    """Which part of a timeline is asked for."""

    kind: list[TimelineKind] = Field(
        default_factory=list[TimelineKind], max_length=100, description="Only these kinds of records or event types; may be repeated."
    )
    order: Order = Field(Order.LATEST_OCCURRED, description="By when it happened or when we learnt of it; `-` for the latest first.")
    language: Language = Field("en", description="The language of the sentences.")


class CustomerDoor:
    """An ASGI endpoint for `GET /v1/customers/{id}` without parameters, kept short because it is read more than anything else.

    Everything else goes on to `otherwise`, the application whose route does the same at leisure.
    """

    def __init__(self, reading: Reading, otherwise: ASGIApp) -> None:
        self._reading = reading
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        customer_id: str = scope["path_params"]["customer_id"]
        if scope["query_string"] or not self._reading.quick.immediate or not CANONICAL.match(customer_id):
            return await self._otherwise(scope, receive, send)
        try:
            with self._reading.quick.snapshot() as lookups:
                customers, clock = self._reading.customers, self._reading.clock
                body, position = customers.customer(lookups, customer_id, decrypt=self._reading.decrypt, now=clock())
        except DaybookError as error:
            return await refuse(send, describe(error))
        return await respond(send, 200, encoded(body), JSON.encode(), ((POSITION_HEADER, b"%d" % position),))


def customer_routes(reading: Reading) -> APIRouter:
    """The routes of one customer."""
    router = APIRouter(tags=["customers"])
    customers = reading.customers

    @router.get("/v1/customers/by-external", response_model=CustomerBody, responses=responses(404, 409, 422, 503))
    def customer_by_external_id(named: Annotated[ExternalParameters, Query()]) -> Response:
        """All that is known of the customer whom another system knows by this name."""
        with reading.lookups(named.today, CUSTOMER_FOLDS) as today:
            customer_id = UUID(customers.id_of(today, named.source, named.id))
        with reading.lookups(named, CUSTOMER_FOLDS, customer_id) as lookups:
            return answer(*customers.customer(lookups, customer_id, decrypt=reading.decrypt, now=reading.now(named)))

    @router.get("/v1/customers/{customer_id}", response_model=CustomerBody, responses=responses(404, 409, 422, 503))
    def customer(customer_id: CustomerId, wanted: Annotated[ReadParameters, Query()]) -> Response:
        """All that is known of a customer."""
        with reading.lookups(wanted, CUSTOMER_FOLDS, customer_id) as lookups:
            return answer(*customers.customer(lookups, customer_id, decrypt=reading.decrypt, now=reading.now(wanted)))

    @router.get("/v1/customers/{customer_id}/timeline", response_model=TimelineBody, responses=responses(404, 409, 422, 503))
    def customer_timeline(customer_id: CustomerId, wanted: Annotated[TimelineParameters, Query()]) -> Response:
        """Everything that happened with a customer."""
        question = Question(customer_id=str(customer_id), kinds=tuple(wanted.kind), order=wanted.order)
        name = question_of(f"timeline of {customer_id}", wanted.model_copy(update={"language": "en"}))
        with reading.facts(wanted, TIMELINE_FOLDS, customer_id) as facts:
            rows = timeline(facts, question, limit=wanted.limit + 1, after=reading.after(name, wanted.cursor))
            position = facts.position(*TIMELINE_FOLDS)
        wording = Wording(wanted.language, personal_of, reading.decrypt)
        page = reading.page(name, rows, wanted.limit, lambda row: place(question, row))
        events = reading.daybook.books.log.read_at([row["position"] for row in page["items"]])
        return answer({**page, "items": told(events, wording)}, position)

    return router
