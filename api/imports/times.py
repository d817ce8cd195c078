"""Reading dates and times as other systems write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

ISO = "iso"
EPOCHS = {"epoch": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """How a mapping's files write times: the zone of those that name none, and the formats to try in order.

    A format is `iso` (ISO 8601), `epoch`, `epoch_ms`, `epoch_us` (since 1970 UTC) or one of `strptime`.
    """

    zone: ZoneInfo
    formats: Sequence[str] = (ISO,)

    def instant(self, text: str, formats: Sequence[str] = (), zone: ZoneInfo | None = None) -> datetime:
        """The moment in UTC; a date alone is its first moment in the zone.

        A local time that a clock change repeats is its first occurrence; one that it skips counts as if the clock had not been changed.
        Raises ValueError.
        """
        moment = _first(text, formats or self.formats)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone or self.zone)
        return moment.astimezone(UTC)

    def day(self, text: str, formats: Sequence[str] = ()) -> date:
        """The calendar day as it is written, whatever its time zone. Raises ValueError."""
        return _first(text, formats or self.formats).date()


def _first(text: str, formats: Sequence[str]) -> datetime:
    for form in formats:
        try:
            return _read(text, form)
        except (ValueError, OverflowError, InvalidOperation):
            continue
    raise ValueError(f"“{text}” is not a time in the form {' or '.join(formats)}")


def _read(text: str, form: str) -> datetime:
    if form == ISO:
        return datetime.fromisoformat(text)
    if form in EPOCHS:
        return _START + timedelta(microseconds=int(Decimal(text) * 1_000_000 / EPOCHS[form]))
    return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone where the text has none


def written(moment: datetime) -> str:
    """A moment as the log writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
