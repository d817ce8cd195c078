"""The service queue: requests that are not done, by when they are due next, with the time that is left. Calendar time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, select

from readmodels.asking import Lookups, Row
from readmodels.clocks import clocks, next_due
from readmodels.cursors import beyond
from readmodels.opening import Decrypt, opened

FOLDS: Final = ("customer_360", "requests")
"""The lookups that are asked."""
STATUSES: Final = ("open", "waiting")
SHOWN: Final = (
    "request_id", "customer_id", "contact_id", "subject", "status", "status_since", "priority", "category", "channel", "agent", "team",
    "level", "opened_at", "waiting_on", "waiting_since", "replies_to_customer", "replies_from_customer", "last_reply_at", "reopenings",
)  # fmt: skip
_TARGETS: Final = ("first_response_due_at", "first_response_outcome", "resolution_due_at", "resolution_outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which requests are asked for; filters that are None take all. `status` is `open` or `waiting`."""

    agent: str | None = None
    team: str | None = None
    priority: str | None = None
    category: str | None = None
    status: str | None = None


def queue(
    lookups: Lookups, question: Question, *, limit: int, decrypt: Decrypt, now: datetime, after: Sequence[Any] | None = None
) -> list[Row]:
    """At most `limit` requests in the order of what is due next, those without a pending target last, beyond the place `after`."""
    requests, customers = lookups.table("requests"), lookups.table("customer_360").c
    here, due = requests.c, next_due(requests)
    wanted: list[ColumnElement[bool]] = [here.status.in_(STATUSES if question.status is None else (question.status,))]
    names = ("agent", "team", "priority", "category")
    wanted += [here[name] == value for name in names if (value := getattr(question, name)) is not None]
    wanted += [beyond([due, here.request_id], after)] if after else []
    found = (
        select(
            *(here[name] for name in (*SHOWN, *_TARGETS)),
            due.label("place"),
            customers.name.label("customer_name"),
            customers.person_name,
            customers.erased_at,
        )
        .join_from(requests, customers.customer_id.table, customers.customer_id == here.customer_id, isouter=True)
        .where(*wanted)
        .order_by(due, here.request_id)
        .limit(limit)
    )
    rows = lookups.rows(found)
    opened(decrypt, (rows, ("subject", "person_name")))
    return [_row(row, now) for row in rows]


def place(row: Row) -> list[str | int]:
    """Where a request stands in the queue."""
    return [row["place"], row["request_id"]]


def _row(row: Row, now: datetime) -> Row:
    person, _ = row.pop("person_name"), row.pop("erased_at")
    row["customer_name"] = person if row["customer_name"] is None else row["customer_name"]
    row |= clocks(row, now)
    for name in _TARGETS:
        del row[name]
    return row
