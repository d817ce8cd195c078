"""Values that several records share: external ids, money and the two clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from domain.errors import RuleViolation

LARGEST_AMOUNT = Decimal(1_000_000_000_000)
CLOCK_SKEW = timedelta(minutes=5)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExternalId:
    """The name that another system has for a record: unique per kind of record and source."""

    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its ISO 4217 currency and the same amount in the base currency at the rate of its day."""

    amount: Decimal
    currency: str
    base_amount: Decimal


def in_ten_thousandths(amount: Decimal) -> Decimal:
    """`amount` rounded half-even to 0.0001, the finest that amounts are kept in."""
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def money(amount: Decimal, currency: str, *, base_currency: str, rate: Decimal | None) -> Money:
    """Money in `currency`; `rate` is base-currency units per unit of `currency` and is needed for a foreign currency.

    The base amount is rounded half-even to 0.0001. Raises RuleViolation `currency.rate_missing`,
    `currency.rate_not_one`, `currency.rate_not_positive` or `amount.too_large`.
    """
    if currency == base_currency:
        if rate not in (None, Decimal(1)):
            raise RuleViolation("currency.rate_not_one", f"{currency} is the base currency; its rate is 1, leave it out")
        rate = Decimal(1)
    if rate is None:
        raise RuleViolation("currency.rate_missing", f"give `rate`: how many {base_currency} one {currency} was worth that day")
    if rate <= 0:
        raise RuleViolation("currency.rate_not_positive", "`rate` must be above zero")
    base = in_ten_thousandths(amount * rate)
    if abs(amount) > LARGEST_AMOUNT or abs(base) > LARGEST_AMOUNT:
        raise RuleViolation("amount.too_large", f"amounts go up to {LARGEST_AMOUNT:,}")
    return Money(amount, currency, base)


def happened(occurred_at: datetime | None, *, now: datetime) -> datetime:
    """When it happened, in UTC: `now` unless the caller said. Raises RuleViolation `time.in_future` beyond clock skew, `time.too_early`."""
    if occurred_at is None:
        return now
    if occurred_at < EARLIEST:
        raise RuleViolation("time.too_early", f"occurred_at goes back to {EARLIEST.date()} at the most")
    if occurred_at > now + CLOCK_SKEW:
        raise RuleViolation("time.in_future", "occurred_at lies in the future; an event is something that has happened")
    return occurred_at.astimezone(UTC)
