"""What every event class has in common, and how a field says that it is personal."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final


@final
class PersonalMark:
    """Marks a field whose text identifies a person; it is stored encrypted under that person's key."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Personal"


Personal: Final = PersonalMark()

PersonalText = Annotated[str, Personal]
"""A text that is stored encrypted under the key of the person it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact about one record. Fields are flat: str, int, bool, Decimal, date, datetime (UTC), UUID, tuples of those, or None.

    `type` is the stable stored name, `v` the version of the shape, `stream` the field that holds the id of the
    record's stream, `person` the fields that may hold the id of the person whose `Personal` fields these are (the
    first that is not None is taken). An event that `erases` is the proof that this person was forgotten: the log does
    away with the person's key together with it.
    """

    type: ClassVar[str]
    v: ClassVar[int] = 1
    stream: ClassVar[str]
    person: ClassVar[tuple[str, ...]] = ()
    erases: ClassVar[bool] = False
