"""Which events a webhook is sent: the words of the feed, with patterns for types."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.feed.asking import TYPES, Record, Wanted, envelopes_of, types_of
from commands.command import NO_CONTROL
from domain.envelope import StoredEvent

MOST_PATTERNS: Final = 100
ALL: Final = "*"
PATTERNS: Final = (ALL, *dict.fromkeys(f"{name.partition('.')[0]}.*" for name in TYPES))


def _known(pattern: str) -> str:
    if pattern not in TYPES and pattern not in PATTERNS:
        raise ValueError(f"give an event type such as {TYPES[0]}, or one of {', '.join(PATTERNS)}")
    return pattern


Pattern = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*PATTERNS, *TYPES]})]
Named = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)]


class Filter(BaseModel):
    """Which events are wanted; those that all of this holds for. Nothing at all means every event."""

    model_config = ConfigDict(extra="forbid")

    type: list[Pattern] = Field(
        default_factory=list[str],
        max_length=MOST_PATTERNS,
        description="Only events of these types: names such as `opportunity.won`, or patterns such as `opportunity.*`.",
    )
    record: list[Record] = Field(
        default_factory=list[str], max_length=MOST_PATTERNS, description="Only events of records of these kinds, such as `request`."
    )
    customer: UUID | None = Field(None, description="Only events that name this customer: its own, and those of its contacts, deals….")
    actor: Named | None = Field(None, description="Only what this user, key or rule did, such as `user:local`.")
    source: Named | None = Field(None, description="Only what came in by this door, such as `api`.")

    def stored(self) -> dict[str, Any]:
        """What is said of it, as JSON has it."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value not in (None, [])}


def wanted_of(stored: Mapping[str, Any]) -> Wanted:
    """The same for a reader of the log; patterns mean the types that there are today."""
    asked = Filter.model_validate(stored)
    types = [name for name in TYPES if any(_matches(pattern, name) for pattern in asked.type)]
    customer = str(asked.customer) if asked.customer else None
    return Wanted(types=types_of(types, asked.record), customer=customer, envelopes=envelopes_of(asked.actor, asked.source, {}))


def holds(wanted: Wanted) -> Callable[[StoredEvent], bool]:
    """Whether an event is wanted, for events that are at hand."""
    types = None if wanted.types is None else frozenset(wanted.types)
    texts = wanted.envelopes.texts.items()

    def is_wanted(event: StoredEvent) -> bool:
        named = all(getattr(event, name) == text for name, text in texts)
        return named and (types is None or event.type in types) and wanted.holds(event)

    return is_wanted


def _matches(pattern: str, name: str) -> bool:
    return pattern in (ALL, name) or (pattern.endswith(".*") and name.startswith(pattern.removesuffix("*")))
