"""Periods and groups in SQL on the facts, the same for every figure. Days begin and end in UTC."""

from collections.abc import Mapping
from typing import Final

PERIODS: Final[Mapping[str, str]] = {
    "week": "strftime({at}, '%G-W%V')",
    "month": "strftime({at}, '%Y-%m')",
    "quarter": "year({at}) || '-Q' || quarter({at})",
    "year": "year({at})::VARCHAR",
}
"""By name, the period that instant `{at}` lies in, as text whose order is that of time; weeks are those of ISO 8601."""


def within(at: str) -> str:
    """Whether instant `at` is from `$since` up to but without `$until`; either may be empty."""
    return f"({at} IS NOT NULL AND ($since IS NULL OR {at} >= $since) AND ($until IS NULL OR {at} < $until))"
