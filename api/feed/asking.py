"""What a feed can be asked for: from where, how far, which events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.asking import instant
from api.reading.parameters import Flag, Id, NeverNull, Text
from bus import codec
from bus.envelopes import ANY, Clock, Envelopes, Named
from domain.catalogue import BY_TYPE
from domain.envelope import StoredEvent

LARGEST_PAGE: Final = 10_000
LARGEST_POSITION: Final = 2**53
TYPES: Final = tuple(BY_TYPE)
RECORDS: Final = tuple(dict.fromkeys(event.stream.removesuffix("_id") for event in BY_TYPE.values()))


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"give one of {', '.join(known)}")
        return value

    return check


def _instant(value: Any) -> Any:
    return instant(value, "time") if isinstance(value, str) else value


EventType = Annotated[str, AfterValidator(_one_of(TYPES)), Field(json_schema_extra={"enum": list(TYPES)})]
Record = Annotated[str, AfterValidator(_one_of(RECORDS)), Field(json_schema_extra={"enum": list(RECORDS)})]
Instant = Annotated[datetime | None, BeforeValidator(_instant), NeverNull()]
Position = Annotated[Annotated[int, Field(ge=0, le=LARGEST_POSITION)] | None, NeverNull()]


class Selection(BaseModel):
    """Which events are wanted; those that all of this holds for."""

    model_config = ConfigDict(extra="forbid")

    type: list[EventType] = Field(
        default_factory=list[str], max_length=100, description="Only events of this type, such as `opportunity.won`; may be repeated."
    )
    record: list[Record] = Field(
        default_factory=list[str], max_length=100, description="Only events of records of this kind, such as `request`; may be repeated."
    )
    customer: Id = Field(None, description="Only events that name this customer: its own, and those of its contacts, deals, requests….")
    actor: Text = Field(None, description="Only what this user, key or rule did, such as `user:local`.")
    source: Text = Field(None, description="Only what came in by this door, such as `api`.")
    occurred_from: Instant = Field(None, description="Only what happened at this time (RFC 3339) or later.")
    occurred_to: Instant = Field(None, description="Only what happened before this time.")
    recorded_from: Instant = Field(None, description="Only what we learnt at this time or later.")
    recorded_to: Instant = Field(None, description="Only what we learnt before this time.")

    def wanted(self) -> "Wanted":
        """The same for a reader of the log."""
        occurred = self.occurred_from, self.occurred_to
        recorded = self.recorded_from, self.recorded_to
        envelopes = envelopes_of(self.actor, self.source, {"occurred_at": occurred, "recorded_at": recorded})
        return Wanted(types=types_of(self.type, self.record), customer=_text(self.customer), envelopes=envelopes)


class FeedPage(Selection):
    """Which events are asked for, and how many."""

    after: int = Field(0, ge=0, le=LARGEST_POSITION, description="The last position that you have seen; 0 begins at the beginning.")
    limit: Annotated[Annotated[int, Field(ge=1, le=LARGEST_PAGE)] | None, NeverNull()] = Field(
        None, description="The most events in the answer: of a page 100 unless you say, of a stream as many as there are."
    )
    until: Position = Field(None, description="Nothing beyond this position; a stream ends when it has come there.")
    changes: Flag = Field(
        None, description="Tell with each event what it changed (`before`, `after`) and its `cause`; a stream does unless you say false."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events of the log are wanted; `types` None means all."""

    types: tuple[str, ...] | None = None
    customer: str | None = None
    envelopes: Envelopes = ANY

    @property
    def all(self) -> bool:
        """Whether no event is left out."""
        return self.types is None and self.customer is None and self.envelopes == ANY

    def holds(self, event: StoredEvent) -> bool:
        """Whether an event that the log chose, by a customer's id somewhere in its text, is wanted."""
        return self.customer is None or _names(event, self.customer)


def types_of(types: Sequence[str], records: Sequence[str]) -> tuple[str, ...] | None:
    """The event types that are among `types` and of these kinds of records, None where neither is given."""
    if not types and not records:
        return None
    kind_of = {name: event.stream.removesuffix("_id") for name, event in BY_TYPE.items()}
    return tuple(name for name in TYPES if (not types or name in types) and (not records or kind_of[name] in records))


def envelopes_of(actor: str | None, source: str | None, times: Mapping[Clock, tuple[datetime | None, datetime | None]]) -> Envelopes:
    """Envelopes that say all of this, where it is given."""
    given: dict[Named, str | None] = {"actor": actor, "source": source}
    texts: dict[Named, str] = {name: text for name, text in given.items() if text is not None}
    said: dict[Clock, tuple[str | None, str | None]] = {
        clock: (_canonical(since), _canonical(until)) for clock, (since, until) in times.items() if since or until
    }
    return Envelopes(texts, said)


def _names(event: StoredEvent, record_id: str) -> bool:
    return event.stream_id == record_id or record_id in event.data.values()


def _canonical(moment: datetime | None) -> str | None:
    return codec.instant(moment) if moment is not None else None


def _text(value: UUID | None) -> str | None:
    return str(value) if value is not None else None
