"""Reading one's own write: `at_least=` names a position that the answer must include."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

LARGEST_POSITION: Final = 2**53


class AtLeast(BaseModel):
    """What every read can be asked for."""

    model_config = ConfigDict(extra="forbid")

    at_least: int = Field(
        0, ge=0, le=LARGEST_POSITION, description="A receipt's position: the answer includes what was recorded up to there."
    )
