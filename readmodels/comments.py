"""What customers wrote beside their scores, the latest first; still as ciphertext, which only the edge can open."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, select

from readmodels.asking import Lookups, Row
from readmodels.cursors import beyond
from readmodels.satisfaction import Question

FOLDS: Final = ("customer_360", "surveys")
"""The lookups that are asked."""
COLUMNS: Final = (
    "survey_id",
    "customer_id",
    "contact_id",
    "kind",
    "about",
    "answered_at",
    "score",
    "agent",
    "team",
    "category",
    "channel",
    "product",
    "comment",
)
ORDER: Final = ("answered_at", "survey_id")
SAME: Final = ("agent", "team", "category", "channel", "product")


def midnight(day: date) -> str:
    """The beginning of a day, UTC, as canonical text."""
    return f"{day.isoformat()}T00:00:00.000000Z"


def comments(lookups: Lookups, question: Question, *, limit: int, after: Sequence[Any] | None = None) -> list[Row]:
    """At most `limit` comments on the answers that `question` is about, beyond the place `after` (its values by `ORDER`)."""
    surveys, customers = lookups.table("surveys"), lookups.table("customer_360")
    order = [surveys.c[name] for name in ORDER]
    wanted: list[ColumnElement[bool]] = [
        surveys.c.kind == question.survey.value,
        surveys.c.comment.is_not(None),
        surveys.c.answered_at.is_not(None),
    ]
    wanted += [surveys.c[name] == value for name in SAME if (value := getattr(question, name)) is not None]
    wanted += [surveys.c.answered_at >= midnight(question.since)] if question.since else []
    wanted += [surveys.c.answered_at < midnight(question.until)] if question.until else []
    wanted += [beyond(order, after, descending=True)] if after else []
    found = select(*(surveys.c[name] for name in COLUMNS)).where(*wanted).order_by(*(column.desc() for column in order)).limit(limit)
    if question.segment is not None:
        found = found.join(customers, customers.c.customer_id == surveys.c.customer_id).where(customers.c.industry == question.segment)
    return lookups.rows(found)
