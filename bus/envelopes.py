"""Which events are wanted by what their envelopes say: who, by which door, when; as SQL that the log's databases look through them with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Named = Literal["actor", "source"]
Clock = Literal["occurred_at", "recorded_at"]


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Wanted are events of which all of this holds; times are as they are stored, from the first up to but without the second."""

    texts: Mapping[Named, str] = field(default_factory=dict[Named, str])
    times: Mapping[Clock, tuple[str | None, str | None]] = field(default_factory=dict[Clock, tuple[str | None, str | None]])

    def conditions(self) -> list[tuple[Named | Clock, Literal["=", ">=", "<"], str]]:
        """Each as a name, an operator and a value; times in their stored form compare as text."""
        texts: list[tuple[Named | Clock, Literal["=", ">=", "<"], str]] = [(name, "=", text) for name, text in self.texts.items()]
        since: list[tuple[Named | Clock, Literal["=", ">=", "<"], str]] = [
            (name, ">=", time[0]) for name, time in self.times.items() if time[0]
        ]
        return texts + since + [(name, "<", time[1]) for name, time in self.times.items() if time[1]]


ANY: Final = Envelopes()


@dataclass(frozen=True, slots=True)
class Count:
    """How many events somebody recorded by one door, of one type."""

    actor: str
    source: str
    type: str
    events: int
