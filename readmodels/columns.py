"""How the kinds of cells are stored by SQLite and PostgreSQL, and what readers get."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Date, Dialect, Numeric, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from readmodels.layout import Kind

PLACES: Final = 4
TEN_THOUSAND: Final = 10**PLACES


def canonical_instant(moment: datetime) -> str:
    """The instant as UTC text of fixed width."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Instant(TypeDecorator[str]):
    """Canonical UTC text at the edge; text on SQLite, timestamptz on PostgreSQL."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Native where there is a native type."""
        return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String())

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - the interface's signature
        """A native value as canonical text."""
        return canonical_instant(value) if isinstance(value, datetime) else value


class Day(TypeDecorator[str]):
    """`YYYY-MM-DD` at the edge; text on SQLite, date on PostgreSQL."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Native where there is a native type."""
        return dialect.type_descriptor(Date() if dialect.name == "postgresql" else String())

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - the interface's signature
        """A native value as canonical text."""
        return value.isoformat() if isinstance(value, date) else value


class Texts(TypeDecorator[tuple[str, ...]]):
    """A tuple of texts, kept as a JSON list."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Binary JSON on PostgreSQL."""
        return dialect.type_descriptor(postgresql.JSONB(none_as_null=True) if dialect.name == "postgresql" else JSON(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> list[str] | None:  # noqa: ARG002 - the interface's signature
        """JSON has lists only."""
        return None if value is None else list(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002 - the interface's signature
        """A tuple again."""
        return None if value is None else tuple(value)


class Amount(TypeDecorator[Decimal]):
    """A Decimal with four places; SQLite keeps it as an exact count of 1/10000."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Numeric on PostgreSQL, whose views have it as such."""
        return dialect.type_descriptor(Numeric(22, PLACES) if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """As the database has it. Raises ValueError for more than four places."""
        if value is None or dialect.name == "postgresql":
            return value
        count = Decimal(value) * TEN_THOUSAND
        if count != count.to_integral_value():
            raise ValueError(f"{value} has more than {PLACES} places")
        return int(count)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Exact, four places."""
        if value is None or dialect.name == "postgresql":
            return value
        return Decimal(value).scaleb(-PLACES)


def _text() -> TypeEngine[Any]:
    return Text().with_variant(Text(collation="C"), "postgresql")


STORED: Final[dict[Kind, Callable[[], TypeEngine[Any]]]] = {
    Kind.TEXT: _text,
    Kind.ID: _text,
    Kind.INTEGER: BigInteger,
    Kind.BOOLEAN: Boolean,
    Kind.DECIMAL: BigInteger,
    Kind.INSTANT: Instant,
    Kind.DATE: Day,
    Kind.TEXTS: Texts,
}
"""What tables hold: canonical cells go in and come out."""

SHOWN: Final[dict[Kind, Callable[[], TypeEngine[Any]]]] = {**STORED, Kind.DECIMAL: Amount}
"""What views show to queries: as stored, but amounts as Decimal."""
