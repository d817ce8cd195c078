"""The base of every command message and the field types that commands share."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

NO_CONTROL = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"


class Command(BaseModel):
    """A wish in the imperative; its first field names the record it is about."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, use_attribute_docstrings=True)

    @classmethod
    def command_name(cls) -> str:
        """The stable name: the class name in snake case, `WinOpportunity` → `win_opportunity`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class ExternalRef(BaseModel):
    """A record by the id that another system has for it; unique per kind of record and source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)]
    id: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)]


class RefersTo:
    """Says which kind of record a reference field names."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind: Final = kind


Ref = UUID | ExternalRef
"""A record by Daybook's id or by another system's."""

_ref = Field(union_mode="left_to_right")
CustomerRef = Annotated[Ref, _ref, RefersTo("customer")]
ContactRef = Annotated[Ref, _ref, RefersTo("contact")]
InteractionRef = Annotated[Ref, _ref, RefersTo("interaction")]
PipelineRef = Annotated[Ref, _ref, RefersTo("pipeline")]
OpportunityRef = Annotated[Ref, _ref, RefersTo("opportunity")]
RequestRef = Annotated[Ref, _ref, RefersTo("request")]
SurveyRef = Annotated[Ref, _ref, RefersTo("survey")]

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=NO_CONTROL)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[Decimal, Field(max_digits=18, decimal_places=4, ge=Decimal(-1_000_000_000_000), le=Decimal(1_000_000_000_000))]
Rate = Annotated[Decimal, Field(gt=Decimal(0), le=Decimal(1_000_000), max_digits=18, decimal_places=8)]
Percent = Annotated[int, Field(ge=0, le=100)]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2200, 1, 1))]
Instant = Annotated[AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC))]
"""A moment with its offset from UTC."""
