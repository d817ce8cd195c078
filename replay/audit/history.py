"""The whole history of a customer, straight from the stored events, each with the proof that it is in the log."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bus.codec import Codec
from bus.stored import StoredEvents
from domain.envelope import StoredEvent
from domain.errors import NotFound
from replay.audit.verifier import ENVELOPE, FORMAT
from replay.audit.view import Telling, View, texts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """Where proofs come from, all of one size of the tree."""

    key: str
    checkpoint: str
    size: int
    inclusion: Callable[[int], Sequence[bytes]]
    consistency: Callable[[int], Sequence[bytes]]


def customer_history(
    stored: StoredEvents, proofs: Proofs, customer_id: str, telling: Telling, *, older: Sequence[int] = ()
) -> dict[str, Any]:
    """Every event that names the customer, in order; `older` are sizes of earlier checkpoints that proofs of consistency are for.

    Raises NotFound `customer.unknown`.
    """
    positions = [position for position in stored.mentioning(customer_id) if position <= proofs.size]
    entries = [entry for position in positions for _, entry in stored.entries(position - 1, position)]
    events = [event for entry in entries if (event := _event(entry)) and _names(event, customer_id)]
    if not any(event["type"] == "customer.registered" and event["stream_id"] == customer_id for event in events):
        raise NotFound("customer.unknown", f"there is no customer {customer_id}")
    for event in events:
        event["proof"] = _base64(proofs.inclusion(event["position"]))
    _tell(events, telling)
    return {
        "format": FORMAT,
        "customer_id": customer_id,
        "language": telling.language,
        "key": proofs.key,
        "checkpoint": proofs.checkpoint,
        "consistency": [{"from": size, "to": proofs.size, "proof": _base64(proofs.consistency(size))} for size in older],
        "events": events,
    }


def _base64(hashes: Sequence[bytes]) -> list[str]:
    return [b64encode(each).decode() for each in hashes]


def _event(entry: bytes) -> dict[str, Any]:
    """An entry's event as it is stored."""
    position, stream_id, version, event_type, state = entry.decode().split("\n", 4)
    parsed = orjson.loads(state)
    place = {"position": int(position), "stream_id": stream_id, "version": int(version), "type": event_type}
    return place | {name: parsed[name] for name in ENVELOPE} | {"data": parsed["data"], "entry": entry.decode()}


def _names(event: Mapping[str, Any], customer_id: str) -> bool:
    values = event["data"].values()
    return event["stream_id"] == customer_id or any(
        value == customer_id or (isinstance(value, list) and customer_id in value) for value in values
    )


def _tell(events: Sequence[dict[str, Any]], telling: Telling) -> None:
    """Add to each event what it says and changed, with personal fields readable, erased or left out."""
    today = [_today(event) for event in events]
    readable = texts_of(today, telling.decrypt)
    for event, row, texts in zip(events, View(telling).rows(today), readable, strict=True):
        mine = {name: text for name, text in texts.items() if event["data"].get(name) is not None}
        event["personal"] = list(mine)
        event["erased"] = [name for name, text in mine.items() if text is None] if telling.decrypt else []
        shown = mine if telling.decrypt else {}
        event["data"] = {name: shown.get(name, value) for name, value in event["data"].items() if name in shown or name not in mine}
        event |= {"says": row["says"], "changes": row["changes"]}


def _today(event: Mapping[str, Any]) -> StoredEvent:
    """The event in today's shape."""
    state = event["entry"].split("\n", 4)[4]
    return Codec().stored(event["position"], event["stream_id"], event["version"], event["type"], state)
