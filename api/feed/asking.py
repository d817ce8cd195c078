"""What a feed can be asked for: from where, how far, which events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.asking import instant
from api.reading.parameters import Flag, Id, NeverNull, Text
from bus import codec
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
        of_records = {kind for kind, event in BY_TYPE.items() if event.stream.removesuffix("_id") in self.record}
        types = [kind for kind in TYPES if (not self.type or kind in self.type) and (not self.record or kind in of_records)]
        texts = {"actor": self.actor, "source": self.source}
        times = {
            "occurred_at": (_canonical(self.occurred_from), _canonical(self.occurred_to)),
            "recorded_at": (_canonical(self.recorded_from), _canonical(self.recorded_to)),
        }
        return Wanted(
            types=tuple(types) if self.type or self.record else None,
            customer=_text(self.customer),
            texts={name: text for name, text in texts.items() if text is not None},
            times={name: time for name, time in times.items() if any(time)},
        )


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
    texts: dict[str, str]
    times: dict[str, tuple[str | None, str | None]]

    @property
    def all(self) -> bool:
        """Whether no event is left out."""
        return self.types is None and self.customer is None and not self.texts and not self.times

    def holds(self, event: StoredEvent) -> bool:
        """Whether an event that the log chose by type and customer is wanted."""
        return (
            (self.customer is None or _names(event, self.customer))
            and all(getattr(event, name) == text for name, text in self.texts.items())
            and all(_between(getattr(event, name), since, until) for name, (since, until) in self.times.items())
        )


def _names(event: StoredEvent, record_id: str) -> bool:
    return event.stream_id == record_id or record_id in event.data.values()


def _between(moment: str, since: str | None, until: str | None) -> bool:
    return (since is None or moment >= since) and (until is None or moment < until)


def _canonical(moment: datetime | None) -> str | None:
    return codec.instant(moment) if moment is not None else None


def _text(value: UUID | None) -> str | None:
    return str(value) if value is not None else None
