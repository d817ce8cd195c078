"""The whole history of a customer, straight from the stored events, each with the proof that it is in the log."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bus.catalogue import TODAY, personal_fields
from bus.codec import Codec
from bus.stored import StoredEvents
from domain.errors import NotFound
from readmodels.opening import Decrypt
from readmodels.sentences import Language, sentence
from replay.audit.verifier import ENVELOPE, FORMAT

STEP: Final = 256
AFTER: Final[Mapping[str, str]] = {"previous_close_on": "expected_close_on", "from_stage": "to_stage"}
"""The fields that say what is now, where they are not called like the one that says what was."""
STATUS_AFTER: Final[Mapping[str, str]] = {"opportunity.won": "won", "opportunity.lost": "lost", "opportunity.reopened": "open"}
"""What becomes of a status by events that need not say it."""
_BEFORE: Final = ("previous_", "from_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How a history is told: in which language, and how personal fields are made readable; None leaves them out."""

    language: Language = "en"
    decrypt: Decrypt | None = None


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
    codec = Codec()
    for event in events:
        known = personal_fields(TODAY.known(event["type"]))
        event["personal"] = [name for name in known if event["data"].get(name) is not None]
    places = [(event, name) for event in events for name in event["personal"]]
    tokens = [event["data"][name] for event, name in places]
    texts = telling.decrypt(tokens) if telling.decrypt else [None] * len(tokens)
    readable: dict[int, dict[str, str | None]] = {}
    for (event, name), text in zip(places, texts, strict=True):
        readable.setdefault(event["position"], {})[name] = text
    for event in events:
        mine = readable.get(event["position"], {})
        event["data"] = {**event["data"], **mine}
        event["erased"] = [name for name, text in mine.items() if text is None] if telling.decrypt else []
        today = {**orjson.loads(codec.upcast(event["type"], event["entry"].split("\n", 4)[4]))["data"], **mine}
        event["says"] = sentence(event["type"], today, telling.language, erased=frozenset(event["erased"]))
        event["changes"] = list(changes(event["type"], today))
        if telling.decrypt is None:
            event["data"] = {name: value for name, value in event["data"].items() if name not in mine}


def changes(event_type: str, data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What an event changed: field, before, after; for what it carries the previous value of, and where the two differ."""
    for name, before in data.items():
        mark = next((mark for mark in _BEFORE if name.startswith(mark)), None)
        if mark is None:
            continue
        field = AFTER.get(name, name.removeprefix(mark))
        after = STATUS_AFTER[event_type] if field == "status" and event_type in STATUS_AFTER else data.get(field)
        if before != after:
            yield {"field": field.removeprefix("to_"), "before": before, "after": after}
