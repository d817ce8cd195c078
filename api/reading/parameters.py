"""Query parameters that reads share: days, texts, ids, pages and periods. What may be left out is null to no one."""

import re
from datetime import MAXYEAR, UTC, date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from api.asking import instant
from api.read_parameters import ReadParameters
from commands.command import NO_CONTROL
from domain.errors import RuleViolation

LARGEST_PAGE: Final = 500
CURSOR: Final = r"^[A-Za-z0-9_-]{16,2000}$"
_DAY: Final = re.compile(r"^\d{4}-\d\d-\d\d$", re.ASCII)


class NeverNull:
    """Publishes a parameter's schema without null: an address has no way to say it."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        options: list[JsonSchemaValue] = described.pop("anyOf", None) or []
        return described | next((option for option in options if option.get("type") != "null"), dict[str, Any]())


def _day(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("give a day as YYYY-MM-DD")
    return value


class DayOrInstant:
    """Publishes a parameter as what it may be written as: a day, or a date-time with its offset."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        kept = {name: value for name, value in described.items() if name not in ("anyOf", "format", "type")}
        return kept | {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


def _moment(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    place = info.field_name or ""
    if _DAY.match(value):
        return instant(f"{date.fromisoformat(value)}T00:00:00Z", place)
    given = instant(value, place)
    return given.astimezone(UTC) if given.year < MAXYEAR else given.replace(tzinfo=UTC)


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("give true or false")
    return value


_TEXT: Final = StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)
Day = Annotated[date | None, BeforeValidator(_day), NeverNull()]
Moment = Annotated[datetime | None, BeforeValidator(_moment), DayOrInstant()]
"""A moment: a day stands for its beginning, UTC."""
Flag = Annotated[bool | None, BeforeValidator(_flag), NeverNull()]
Text = Annotated[Annotated[str, _TEXT] | None, NeverNull()]
Id = Annotated[UUID | None, NeverNull()]
Cursor = Annotated[Annotated[str, StringConstraints(pattern=CURSOR)] | None, NeverNull()]
Priority = Annotated[Literal["low", "normal", "high", "urgent"] | None, NeverNull()]
BacklogStatus = Annotated[Literal["open", "waiting"] | None, NeverNull()]


def not_empty(since: date | None, until: date | None, name: str = "until") -> None:
    """Hold that there is a day in the period. Raises RuleViolation `period.empty`."""
    if since and until and since >= until:
        raise RuleViolation("period.empty", f"no day is from {since} up to but without {until}; give `{name}` a later day")


class Period(ReadParameters):
    """From one day up to another."""

    since: Day = Field(None, description="The first day (UTC); without it, from the beginning.")
    until: Day = Field(None, description="The day after the last one (UTC); without it, up to now.")

    def check(self) -> None:
        """Raises RuleViolation `period.empty`."""
        not_empty(self.since, self.until)


class Paged(ReadParameters):
    """A page of a list."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE, description="The most items in the answer.")
    cursor: Cursor = Field(None, description="The `next` of an earlier answer to the same question: what comes after it.")
