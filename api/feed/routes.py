"""The feed over HTTP: all events in the order of their positions, from the first, as JSON pages or as a stream that goes on."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field

from api.asking import JSON
from api.feed.asking import LARGEST_POSITION, FeedPage, Position
from api.feed.reading import Reader, told
from api.openapi import refusals
from api.problems import encode
from api.streams import EVENT_STREAM, Course, EventStream, Streams
from api.wiring import Books
from domain.errors import NotFound

PAGE: Final = 100
"""Events in a page, unless the caller says."""
SEARCH_SECONDS: Final = 1.0
"""How long a page looks for events that are wanted, before it says how far it has come."""

LastEventId = Annotated[
    Position,
    Header(alias="Last-Event-ID", description="The last position that you have seen, as an event source sends it; it goes before `after`."),
]
Accept = Annotated[str, Header(include_in_schema=False)]


class CauseBody(BaseModel):
    """Because of what an event was recorded."""

    command_id: str
    actor: str
    source: str = Field(description="The door: `api`, `cli`, `import:<batch>`….")
    correlation_id: str | None
    causation_id: str | None


class EventBody(BaseModel):
    """An event with its envelope."""

    position: int
    stream_id: UUID
    version: int
    id: UUID
    type: str
    occurred_at: str
    recorded_at: str
    actor: str
    source: str
    command_id: str
    correlation_id: str | None
    causation_id: str | None
    irregular: list[str] = Field(description="Codes of the rules that this reported fact breaks.")
    data: dict[str, Any] = Field(description="The event's fields; personal ones are null once the person was forgotten.")


class ToldEventBody(EventBody):
    """An event with its envelope and, where that was asked for, what it changed."""

    before: dict[str, Any] = Field({}, description="With `changes`: what the attributes in `after` were before this event.")
    after: dict[str, Any] = Field({}, description="With `changes`: the attributes of the record that this event changed.")
    cause: CauseBody | None = Field(None, description="With `changes`: because of what it was recorded.")


class Page(BaseModel):
    """A part of the feed."""

    events: list[ToldEventBody]
    after: int = Field(description="Ask for what comes after this next.")
    head: int = Field(description="The last position there is.")


class StreamBody(BaseModel):
    """The history of one record."""

    stream_id: UUID
    version: int
    events: list[EventBody]


AS_STREAM: Final[Mapping[int | str, dict[str, Any]]] = {
    200: {
        "description": (
            f"A page; with `Accept: {EVENT_STREAM}` a stream of server-sent events, each with its position as `id` and such an event "
            "as `data`, that goes on until `until` or `limit`."
        ),
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    },
    204: {"description": "A stream was asked for, and there is nothing more up to `until`."},
}


def feed_routes(books: Books, streams: Streams) -> APIRouter:
    """The routes that hand out events."""
    router = APIRouter(tags=["events"])

    @router.get("/v1/events", response_model=Page, responses={**AS_STREAM, **refusals(409, 422, 503)})
    def events(asked: Annotated[FeedPage, Query()], last_event_id: LastEventId = None, accept: Accept = "") -> Response:
        """The events after a position, in order, with no gap; all of them, or those that are wanted."""
        as_stream = EVENT_STREAM in accept.lower()
        after = asked.after if last_event_id is None else last_event_id
        reader = Reader(books, asked.wanted(), changes=as_stream if asked.changes is None else asked.changes)
        if as_stream:
            return EventStream(streams, reader, Course(after=after, until=asked.until, limit=asked.limit))
        return _answer(_page(reader, after, asked))

    @router.get("/v1/streams/{stream_id}", response_model=StreamBody, responses=refusals(404, 422, 503))
    def stream(stream_id: Annotated[UUID, Path(description="A record's id.")]) -> Response:
        """Everything that has happened to one record."""
        found = books.log.read_stream(stream_id)
        if not found:
            raise NotFound("stream.unknown", f"there is no record {stream_id}")
        return _answer({"stream_id": stream_id, "version": found[-1].version, "events": told(books, found)})

    return router


def _page(reader: Reader, after: int, asked: FeedPage) -> dict[str, Any]:
    """A page, full unless the end is reached or the search takes too long."""
    reader.begin(after)
    limit = asked.limit or PAGE
    give_up_at = time.monotonic() + SEARCH_SECONDS
    passage = reader.step(after, limit, asked.until)
    events = [*passage.events]
    last = min(passage.head, LARGEST_POSITION if asked.until is None else asked.until)
    while len(events) < limit and passage.after < last and time.monotonic() < give_up_at:
        passage = reader.step(passage.after, limit - len(events), asked.until)
        events += passage.events
    return {"events": events, "after": passage.after, "head": passage.head}


def _answer(body: Mapping[str, Any]) -> Response:
    return Response(encode(body), media_type=JSON)
