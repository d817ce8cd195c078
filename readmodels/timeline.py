"""A customer's timeline: every event that has to do with it, in the order of happening or of learning, as sentences and as data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from domain.envelope import StoredEvent
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
SELECT position, strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%fZ') AS occurred_at
FROM timeline
WHERE (customer_id = $customer::UUID OR previous_customer_id = $customer::UUID)
  AND (len($kinds) = 0 OR list_contains($kinds, type) OR list_contains($kinds, split_part(type, '.', 1)))
  {beyond}
ORDER BY {order} LIMIT $most
"""


def timeline(facts: Facts, question: Question, *, limit: int, after: Sequence[Any] | None = None) -> list[Row]:
    """Where at most `limit` events beyond the place `after` (see `place`) stand: position and when it happened. Raises NotFound `customer.unknown`."""
    if not facts.rows("SELECT 1 FROM customers WHERE customer_id = $customer::UUID", {"customer": question.customer_id}):
        raise NotFound("customer.unknown", f"there is no customer {question.customer_id}")
    columns = ["occurred_at", "position"] if question.order.by_happening else ["position"]
    sign, direction = ("<", "DESC") if question.order.descending else (">", "ASC")
    parameters: dict[str, Any] = {"customer": question.customer_id, "kinds": list(question.kinds), "most": limit}
    beyond = ""
    if after is not None:
        marks = ["$at::TIMESTAMP", "$position"] if question.order.by_happening else ["$position"]
        beyond = f"AND ({', '.join(f'timeline.{column}' for column in columns)}) {sign} ({', '.join(marks)})"
        parameters |= dict(zip(["at", "position"] if question.order.by_happening else ["position"], after, strict=True))
    order = ", ".join(f"timeline.{column} {direction}" for column in columns)
    return facts.rows(_TIMELINE.format(beyond=beyond, order=order), parameters)


def place(question: Question, row: Row) -> list[str | int]:
    """Where an event stands in the order that was asked for."""
    return [row["occurred_at"], row["position"]] if question.order.by_happening else [row["position"]]


def told(events: Sequence[StoredEvent], wording: Wording) -> list[Row]:
    """The events with readable fields and a sentence each; `erased` names fields whose person was forgotten."""
    places = [(event, name) for event in events for name in wording.personal_of(event.type) if event.data.get(name) is not None]
    texts = wording.decrypt([event.data[name] for event, name in places])
    readable: dict[int, dict[str, str | None]] = {}
    for (event, name), text in zip(places, texts, strict=True):
        readable.setdefault(event.position, {})[name] = text
    return [_told(event, readable.get(event.position, {}), wording.language) for event in events]


def _told(event: StoredEvent, readable: Mapping[str, str | None], language: Language) -> Row:
    data = {**event.data, **readable}
    erased = [name for name, text in readable.items() if text is None]
    return {
        "position": event.position,
        "event_id": event.id,
        "customer_id": event.data.get("customer_id"),
        "type": event.type,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "source": event.source,
        "command_id": event.command_id,
        "irregular": event.irregular,
        "data": data,
        "record": {"kind": event.type.partition(".")[0], "id": event.stream_id},
        "says": sentence(event.type, data, language, erased=frozenset(erased)),
        "erased": erased,
    }
