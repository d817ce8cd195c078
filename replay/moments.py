"""Two clocks: what had happened by a moment, and what was known by one."""

from dataclasses import dataclass
from datetime import datetime

from domain.envelope import StoredEvent
from readmodels.columns import canonical_instant


@dataclass(frozen=True, slots=True)
class Moment:
    """Which part of history is looked at; both limits are included, and None is none."""

    as_of: datetime | None = None
    """Only what had happened by then, by what we know of it (`occurred_at`)."""
    known_at: datetime | None = None
    """Only what we had learnt by then (`recorded_at`)."""

    @property
    def is_now(self) -> bool:
        """Whether it is all of history."""
        return self.as_of is None and self.known_at is None

    def sees(self, event: StoredEvent) -> bool:
        """Whether the event is in that part."""
        happened = self.as_of is None or event.occurred_at <= canonical_instant(self.as_of)
        return happened and (self.known_at is None or event.recorded_at <= canonical_instant(self.known_at))

    @property
    def condition(self) -> str | None:
        """The same in SQL, over `e_occurred_at` and `e_recorded_at` of typed events."""
        clocks = (("e_occurred_at", self.as_of), ("e_recorded_at", self.known_at))
        limits = [f"{column} <= '{canonical_instant(limit)[:-1]}'::TIMESTAMP" for column, limit in clocks if limit is not None]
        return " AND ".join(limits) or None

    def clock(self, now: datetime) -> datetime:
        """What time it is for who looks: ages and overdue marks are counted up to then."""
        return self.as_of or self.known_at or now
