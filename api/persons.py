"""Persons over HTTP: how much is held about one, and all of it to be handed to them."""

from contextlib import closing
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.asking import JSON
from api.auditing import place_of
from api.command_door import ACTOR, SOURCE
from api.openapi import refusals
from api.problems import encode
from api.wiring import Daybook
from bus.stored import open_stored
from commands.order import Order, Refusal
from readmodels.sentences import Language
from replay.persons.holding import Held, dossier, held, summary

PersonId = Annotated[UUID, Path(description="The id of a contact, or of a customer who is a person.")]


class RecordCount(BaseModel):
    """How many records of a kind."""

    kind: str
    count: int


class TextCount(BaseModel):
    """How many texts of a kind lie under the person's key, in all versions that were ever recorded."""

    of: str
    count: int


class PersonBody(BaseModel):
    """How much is held about a person."""

    person_id: UUID
    kind: str = Field(description="`contact` or `customer`.")
    events: int = Field(description="Events that name the person.")
    records: list[RecordCount]
    texts: list[TextCount] = Field(description="What erasing the person makes unreadable, or has made so.")
    first_at: str
    last_at: str
    erased_at: str | None
    position: int


class ExportBody(BaseModel):
    """On whose wish something is exported."""

    model_config = ConfigDict(extra="forbid")

    requested_on: date | None = Field(None, description="The day on which the person asked.")
    language: Language = Field("en", description="The language of the sentences.")


class HeldRecord(BaseModel):
    """A record that an event is of."""

    kind: str
    id: UUID


class HeldEvent(BaseModel):
    """An event about a person."""

    position: int
    type: str
    record: HeldRecord
    says: str
    occurred_at: str
    recorded_at: str
    actor: str
    source: str
    data: dict[str, Any]
    erased: list[str] = Field(description="Fields whose text was erased.")
    of_others: list[str] = Field(description="Fields left out, because their texts are about somebody else.")


class DossierBody(BaseModel):
    """Everything that is held about a person."""

    format: str
    person_id: UUID
    kind: str
    language: Language
    upto: int = Field(description="The last position that was looked at.")
    erased_at: str | None
    known: dict[str, Any] = Field(description="What is known of the person now.")
    events: list[HeldEvent]


def person_routes(daybook: Daybook) -> APIRouter:
    """The routes of persons."""
    router = APIRouter(tags=["persons"], prefix="/v1/persons/{person_id}")
    log, vault = daybook.books.log, daybook.books.vault

    def held_about(person: UUID) -> Held:
        with closing(open_stored(place_of(daybook.settings))) as stored:
            return held(person, stored, log)

    @router.get("", response_model=PersonBody, responses=refusals(404, 409, 422, 503))
    def person(person_id: PersonId) -> Response:
        """How much is held about a contact, or a customer who is a person: what erasing them would make unreadable."""
        return Response(encode(summary(held_about(person_id))), media_type=JSON)

    @router.post("/export", response_model=DossierBody, responses=refusals(400, 404, 409, 422, 503, 507))
    def export_person(person_id: PersonId, asked: Annotated[ExportBody, Body()]) -> Response:
        """Everything that is held about a person, for an access request; that it was handed out is recorded."""
        about = held_about(person_id)
        told = dossier(about, vault.decrypt_all, language=asked.language)
        requested_on = asked.requested_on.isoformat() if asked.requested_on else None
        data = {f"{about.kind}_id": str(person_id), "events": len(about.events), "upto": about.upto, "requested_on": requested_on}
        order = Order(name=f"note_{about.kind}_export", data=data, actor=ACTOR, source=SOURCE)
        for outcome in daybook.execute([order]):
            if isinstance(outcome, Refusal):
                raise outcome.error
        return Response(encode(told), media_type=JSON)

    return router
