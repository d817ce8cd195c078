"""Query parameters that reads share: days, texts, pages, periods."""

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from api.reaching import AtLeast
from commands.command import NO_CONTROL
from domain.errors import RuleViolation

LARGEST_PAGE: Final = 500
CURSOR: Final = r"^[A-Za-z0-9_-]{16,2000}$"
_DAY: Final = re.compile(r"^\d{4}-\d\d-\d\d$", re.ASCII)


def _day(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("give a day as YYYY-MM-DD")
    return value


Nothing = SkipJsonSchema[None]
"""What a parameter is when it is left out; its published schema says nothing of it."""
Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL)]


class Period(AtLeast):
    """From one day up to another."""

    since: Day | Nothing = Field(None, description="The first day (UTC); without it, from the beginning.")
    until: Day | Nothing = Field(None, description="The day after the last one (UTC); without it, up to now.")

    def check(self) -> None:
        """Raises RuleViolation `period.empty`."""
        if self.since and self.until and self.since >= self.until:
            raise RuleViolation("period.empty", f"no day is from {self.since} up to but without {self.until}; give `until` a later day")


class Paged(AtLeast):
    """A page of a list."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE, description="The most items in the answer.")
    cursor: Annotated[str, StringConstraints(pattern=CURSOR)] | Nothing = Field(
        None, description="The `next` of an earlier answer to the same question: what comes after it."
    )
