"""A customer's timeline: every event that has to do with it, in the order of happening or of learning, as sentences and as data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from domain.errors import NotFound
from readmodels.asking import Facts, Row
from readmodels.opening import Decrypt
from readmodels.sentences import Language, sentence

FOLDS: Final = ("customers", "timeline")
"""The facts that are asked."""


class Order(StrEnum):
    """By which clock, and whether the latest comes first."""

    OCCURRED = "occurred"
    LATEST_OCCURRED = "-occurred"
    RECORDED = "recorded"
    LATEST_RECORDED = "-recorded"

    @property
    def by_happening(self) -> bool:
        """Whether it is the order of happening; positions decide between equals, and are the order of recording."""
        return self.value.endswith("occurred")

    @property
    def descending(self) -> bool:
        """Whether the latest comes first."""
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose timeline is asked for, and which events: `kinds` are kinds of records or event types, none for all."""

    customer_id: str
    kinds: tuple[str, ...] = ()
    order: Order = Order.LATEST_OCCURRED


@dataclass(frozen=True, slots=True)
class Wording:
    """How events are put: in which language, with which fields made readable by what."""

    language: Language
    personal_of: Callable[[str], Sequence[str]]
    """The personal fields of an event type."""
    decrypt: Decrypt


_TIMELINE: Final = """
SELECT position, event_id, customer_id, type, stream_id, occurred_at, recorded_at, actor, source, command_id, irregular, data
FROM timeline
WHERE (customer_id = $customer::UUID OR previous_customer_id = $customer::UUID)
  AND (len($kinds) = 0 OR list_contains($kinds, type) OR list_contains($kinds, split_part(type, '.', 1)))
  {beyond}
ORDER BY {order} LIMIT $most
"""


def timeline(facts: Facts, question: Question, *, limit: int, after: Sequence[Any] | None = None) -> list[Row]:
    """At most `limit` events beyond the place `after` (see `place`); data as it lies. Raises NotFound `customer.unknown`."""
    if not facts.rows("SELECT 1 FROM customers WHERE customer_id = $customer::UUID", {"customer": question.customer_id}):
        raise NotFound("customer.unknown", f"there is no customer {question.customer_id}")
    columns = ["occurred_at", "position"] if question.order.by_happening else ["position"]
    sign, direction = ("<", "DESC") if question.order.descending else (">", "ASC")
    parameters: dict[str, Any] = {"customer": question.customer_id, "kinds": list(question.kinds), "most": limit}
    beyond = ""
    if after is not None:
        marks = ["$at::TIMESTAMP", "$position"] if question.order.by_happening else ["$position"]
        beyond = f"AND ({', '.join(columns)}) {sign} ({', '.join(marks)})"
        parameters |= dict(zip(["at", "position"] if question.order.by_happening else ["position"], after, strict=True))
    order = ", ".join(f"{column} {direction}" for column in columns)
    return [_plain(row) for row in facts.rows(_TIMELINE.format(beyond=beyond, order=order), parameters)]


def place(question: Question, row: Row) -> list[str | int]:
    """Where an event stands in the order that was asked for."""
    return [row["occurred_at"], row["position"]] if question.order.by_happening else [row["position"]]


def _plain(row: Row) -> Row:
    row["data"] = orjson.loads(row["data"])
    for name, value in row.items():
        if isinstance(value, UUID):
            row[name] = str(value)
        elif isinstance(value, datetime):
            row[name] = value.isoformat(timespec="microseconds") + "Z"
    return row


def told(rows: Sequence[Row], wording: Wording) -> list[Row]:
    """The events with readable fields and a sentence each; `erased` names fields whose person was forgotten."""
    places = [(row, name) for row in rows for name in wording.personal_of(row["type"]) if row["data"].get(name) is not None]
    texts = wording.decrypt([row["data"][name] for row, name in places])
    erased: dict[int, list[str]] = {}
    for (row, name), text in zip(places, texts, strict=True):
        row["data"][name] = text
        if text is None:
            erased.setdefault(row["position"], []).append(name)
    return [_told(row, erased.get(row["position"], []), wording.language) for row in rows]


def _told(row: Row, erased: Sequence[str], language: Language) -> Row:
    record = {"kind": row["type"].partition(".")[0], "id": row.pop("stream_id")}
    says = sentence(row["type"], row["data"], language, erased=frozenset(erased))
    return {**row, "record": record, "says": says, "erased": list(erased)}
