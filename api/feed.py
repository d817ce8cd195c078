"""The feed: all events in the order of their positions, from the first, as JSON pages."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.asking import JSON
from api.openapi import refusals
from api.problems import encode
from api.wiring import Books
from bus.catalogue import TODAY, personal_fields
from domain.envelope import StoredEvent
from domain.errors import NotFound

LARGEST_PAGE: Final = 10_000
LARGEST_POSITION: Final = 2**53


class FeedPage(BaseModel):
    """Which events are asked for."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=LARGEST_POSITION, description="The last position that you have seen; 0 begins at the beginning.")
    limit: int = Field(100, ge=1, le=LARGEST_PAGE, description="The most events in the answer.")


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


class Page(BaseModel):
    """A part of the feed."""

    events: list[EventBody]
    after: int = Field(description="Ask for what comes after this next.")
    head: int = Field(description="The last position there is.")


class StreamBody(BaseModel):
    """The history of one record."""

    stream_id: UUID
    version: int
    events: list[EventBody]


def feed_routes(books: Books) -> APIRouter:
    """The routes that hand out events."""
    router = APIRouter(tags=["events"])

    @router.get("/v1/events", response_model=Page, responses=refusals(422, 503))
    def events(page: Annotated[FeedPage, Query()]) -> Response:
        """The events after a position, in order, with no gap."""
        head = books.log.head()
        found = books.log.read(page.after, page.limit)
        last = found[-1].position if found else 0
        return _answer({"events": told(books, found), "after": last or page.after, "head": max(head, last)})

    @router.get("/v1/streams/{stream_id}", response_model=StreamBody, responses=refusals(404, 422, 503))
    def stream(stream_id: Annotated[UUID, Path(description="A record's id.")]) -> Response:
        """Everything that has happened to one record."""
        found = books.log.read_stream(stream_id)
        if not found:
            raise NotFound("stream.unknown", f"there is no record {stream_id}")
        return _answer({"stream_id": stream_id, "version": found[-1].version, "events": told(books, found)})

    return router


def told(books: Books, events: Sequence[StoredEvent]) -> list[dict[str, Any]]:
    """Events as JSON has them, personal fields readable; they are null where the person was forgotten."""
    places = [(index, name) for index, event in enumerate(events) for name in _personal(event)]
    texts = books.vault.decrypt_all([events[index].data[name] for index, name in places])
    readable: dict[int, dict[str, str | None]] = {}
    for (index, name), text in zip(places, texts, strict=True):
        readable.setdefault(index, {})[name] = text
    return [_body(event, readable.get(index, {})) for index, event in enumerate(events)]


def _personal(event: StoredEvent) -> Sequence[str]:
    return [name for name in personal_of(event.type) if event.data.get(name) is not None]


@cache
def personal_of(event_type: str) -> Sequence[str]:
    """The personal fields of an event type."""
    return personal_fields(TODAY.known(event_type))


def _body(event: StoredEvent, readable: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "position": event.position,
        "stream_id": event.stream_id,
        "version": event.version,
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "source": event.source,
        "command_id": event.command_id,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "irregular": event.irregular,
        "data": {**event.data, **readable},
    }


def _answer(body: Mapping[str, Any]) -> Response:
    return Response(encode(body), media_type=JSON)
