"""Which changes are asked for, and as what."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.feed.asking import EventType, Record, Wanted, envelopes_of, types_of
from api.reading.parameters import Cursor, Flag, Id, Moment, NeverNull, Text
from bus import codec
from bus.envelopes import Clock
from domain.errors import RuleViolation
from readmodels.sentences import Language

LARGEST_PART: Final = 10_000
CLOCKS: Final[Mapping[str, Clock]] = {"recorded": "recorded_at", "occurred": "occurred_at"}


class Format(StrEnum):
    """How changes are answered."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


MEDIA_TYPES: Final[Mapping[Format, str]] = {Format.JSON: "application/json", Format.CSV: "text/csv", Format.HTML: "text/html"}
AT_MOST: Final[Mapping[Format, int | None]] = {Format.JSON: 100, Format.CSV: None, Format.HTML: 1_000}
"""Events in an answer, unless the caller says."""


class ChangesAsked(BaseModel):
    """Which events are wanted, those that all of this holds for, and how they are told."""

    model_config = ConfigDict(extra="forbid")

    since: Moment = Field(None, description="From this moment on: a day (its beginning, UTC), or a date-time with its offset.")
    until: Moment = Field(None, description="Up to but without this moment.")
    clock: Literal["recorded", "occurred"] = Field(
        "recorded", description="Whether since and until mean when we learnt of it, or when it happened."
    )
    actor: Text = Field(None, description="Only what this user, key or rule did, such as `user:local`.")
    source: Text = Field(None, description="Only what came in by this door, such as `api` or `import:<batch>`.")
    type: list[EventType] = Field(
        default_factory=list[str], max_length=100, description="Only events of this type, such as `opportunity.won`; may be repeated."
    )
    record: list[Record] = Field(
        default_factory=list[str], max_length=100, description="Only changes of records of this kind, such as `pipeline`; may be repeated."
    )
    customer: Id = Field(None, description="Only events that name this customer: its own, and those of its contacts, deals, requests….")
    language: Language = Field("en", description="The language of the sentences, and of the page.")
    personal: bool = Field(default=True, description="Whether personal fields are told; what was erased is not in either case.")
    totals: Flag = Field(
        None, description="Whether totals of all that is asked for come with a JSON page; they do with the first unless you say false."
    )
    limit: Annotated[Annotated[int, Field(ge=1, le=LARGEST_PART)] | None, NeverNull()] = Field(
        None,
        description="The most events in the answer: of a JSON page 100 unless you say, of an HTML page 1000, of CSV as many as there are.",
    )
    cursor: Cursor = Field(None, description="The `next` of an earlier answer to the same question: what comes after it.")

    def wanted(self) -> Wanted:
        """The same for a reader of the log. Raises RuleViolation `period.empty`."""
        if self.since and self.until and self.since >= self.until:
            raise RuleViolation("period.empty", f"nothing is from {self.since} up to but without {self.until}; give a later `until`")
        envelopes = envelopes_of(self.actor, self.source, {CLOCKS[self.clock]: (self.since, self.until)})
        return Wanted(types=types_of(self.type, self.record), customer=str(self.customer) if self.customer else None, envelopes=envelopes)

    def question(self) -> dict[str, str]:
        """What is asked for, as text; whatever way it is told, and whichever part of it."""
        left_out = {"language", "personal", "totals", "limit", "cursor"} | ({"clock"} if self.since is self.until is None else set[str]())
        said = {name: value for name, value in self.model_dump(exclude=left_out, exclude_none=True).items() if value != []}
        return {name: _text(value) for name, value in said.items()}


class ChangesParameters(ChangesAsked):
    """The same over HTTP."""

    format: Annotated[Format | None, NeverNull()] = Field(
        None, description="As what; otherwise the Accept header says, and JSON is what there is."
    )


def format_of(accept: str) -> Format:
    """The format that an Accept header (RFC 9110 §12.5.1) likes best; JSON where it names none of ours."""
    liked: list[tuple[float, Format]] = []
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        how = next((how for how, media_type in MEDIA_TYPES.items() if media_type == name), None)
        weight = next((text.removeprefix("q=") for text in parameters if text.startswith("q=")), "1")
        if how is not None and _is_weight(weight) and float(weight):
            liked.append((float(weight), how))
    return max(liked, key=lambda each: each[0])[1] if liked else Format.JSON


def _is_weight(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()


def _text(value: object) -> str:
    match value:
        case datetime():
            return codec.instant(value)
        case list():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return str(value)
