"""When an event that was not taken is sent again: later and later, never all at once, and not before the receiver says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

FACTOR: Final = 4.0
LONGEST_DELAY: Final = 12 * 3600.0
LONGEST_WISH: Final = 24 * 3600.0
"""The longest that a receiver's `Retry-After` is heeded."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`attempts` in all; `first` seconds until the second one, then four times as long each time, up to half a day."""

    attempts: int = 10
    first: float = 5.0

    def over(self, attempts: int) -> bool:
        """Whether after so many attempts the event is given up."""
        return attempts >= self.attempts

    def delay(self, attempts: int, random: Callable[[], float], wish: float | None = None) -> float:
        """Seconds until the next attempt after so many: the step and up to a fifth more, at random, and no less than the receiver wishes."""
        step = min(self.first * FACTOR ** (attempts - 1), LONGEST_DELAY)
        return max(step * (1 + 0.2 * random()), min(wish or 0.0, LONGEST_WISH))


def wish_of(header: str | None, now: float) -> float | None:
    """The seconds in a `Retry-After` header, None when it says nothing that can be read."""
    if header is None:
        return None
    if header.strip().isdecimal() and len(header.strip()) < 10:
        return float(header.strip())
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError):
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
