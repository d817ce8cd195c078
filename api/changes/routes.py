"""All changes in a period over HTTP."""

from itertools import chain, islice
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.asking import JSON
from api.auditing import ChangeBody
from api.changes.asking import AT_MOST, LARGEST_PART, MEDIA_TYPES, ChangesParameters, Format, format_of
from api.changes.reading import ChangesReader
from api.openapi import refusals
from api.problems import encode
from api.wiring import Books

Accept = Annotated[str, Header(include_in_schema=False)]


class ChangedBody(BaseModel):
    """An event, and what it changed."""

    position: int
    occurred_at: str = Field(description="When it happened.")
    recorded_at: str = Field(description="When we learnt of it.")
    actor: str = Field(description="Who: `user:…`, `key:…` or `rule:…`.")
    source: str = Field(description="By which door: `api`, `cli`, `import:<batch>`….")
    command_id: str
    type: str
    record: str = Field(description="What kind of record it changed.")
    record_id: UUID
    version: int = Field(description="The how-manieth event of the record it is.")
    says: str
    irregular: list[str] = Field(description="Codes of the rules that this reported fact breaks.")
    changes: list[ChangeBody]


class GroupBody(BaseModel):
    """How many events are of one actor, door or type."""

    name: str | None = Field(description="Null for all others together, of which there are too many to name.")
    events: int


class TotalsBody(BaseModel):
    """How many events there are in all that is asked for, the largest groups first."""

    events: int
    actors: list[GroupBody]
    sources: list[GroupBody]
    types: list[GroupBody]


class ChangesBody(BaseModel):
    """A page of changes, in the order in which they were recorded."""

    totals: TotalsBody | None = Field(description="Of all pages; with the first one, or when asked for.")
    upto: int = Field(description="The last position that any page of this answer tells of.")
    items: list[ChangedBody]
    next: str | None = Field(description="Give it as `cursor` for what comes after this; null at the end.")


OTHERS: Final[dict[str, Any]] = {media: {"schema": {"type": "string"}} for how, media in MEDIA_TYPES.items() if how is not Format.JSON}
ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A page as JSON; or all of it as CSV, a line for each field that changed; or a page to read and print.",
        "content": OTHERS,
    }
}


def change_routes(books: Books) -> APIRouter:
    """The route of all changes."""
    router = APIRouter(tags=["audit"])

    @router.get("/v1/audit/changes", response_model=ChangesBody, responses={**ANSWER, **refusals(404, 409, 422, 503)})
    def audit_changes(asked: Annotated[ChangesParameters, Query()], accept: Accept = "") -> Response:
        """Who did what when, by which door: all changes in a period, each with what was before and after it."""
        reader = ChangesReader(books, asked)
        how = asked.format or format_of(accept)
        most = asked.limit or AT_MOST[how]
        match how:
            case Format.JSON:
                return Response(encode(reader.page(most or LARGEST_PART)), media_type=JSON)
            case Format.CSV:
                parts = reader.as_csv(most)
            case Format.HTML:
                parts = reader.as_page(most or LARGEST_PART)
        # What cannot be read at all is a problem with its own status, which must be known before anything is sent.
        begun = list(islice(parts, 2))
        headers = {"content-disposition": 'attachment; filename="changes.csv"'} if how is Format.CSV else {}
        return StreamingResponse(chain(begun, parts), media_type=f"{MEDIA_TYPES[how]}; charset=utf-8", headers=headers)

    return router
