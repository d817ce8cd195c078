"""What every read can be asked for: to include one's own write (`at_least=`), and to be as of another moment (`as_of=`, `known_at=`)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from replay.moments import Moment

LARGEST_POSITION: Final = 2**53
_DAY: Final = re.compile(r"^\d{4}-\d\d-\d\d$", re.ASCII)
_INSTANT: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$", re.ASCII)


def instant_of(value: Any) -> Any:
    """The instant that a text names in RFC 3339; a day is meant up to its end, UTC. Raises ValueError."""
    if not isinstance(value, str):
        return value
    if _DAY.match(value):
        return datetime.fromisoformat(value).replace(tzinfo=UTC) + timedelta(days=1, microseconds=-1)
    if not _INSTANT.match(value):
        raise ValueError("give a day as YYYY-MM-DD, or an instant as YYYY-MM-DDThh:mm:ssZ or with its offset (in an address, + is %2B)")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such instant") from None


Instant = Annotated[
    datetime | None,
    BeforeValidator(instant_of),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
"""An instant, or the end of a day."""


class ReadParameters(BaseModel):
    """What every read can be asked for."""

    model_config = ConfigDict(extra="forbid")

    at_least: int = Field(
        0, ge=0, le=LARGEST_POSITION, description="A receipt's position: the answer includes what was recorded up to there."
    )
    as_of: Instant = Field(
        None,
        description="The answer as of this moment: what had happened by then, by what is known now. A day is meant up to its end (UTC).",
    )
    known_at: Instant = Field(
        None, description="The answer as it was believed at this moment: of what had been recorded by then. May be given beside `as_of`."
    )

    @property
    def moment(self) -> Moment:
        """The part of history that is asked."""
        return Moment(self.as_of, self.known_at)

    @property
    def today(self) -> Self:
        """The same, asked as of now."""
        return self.model_copy(update={"as_of": None, "known_at": None})
