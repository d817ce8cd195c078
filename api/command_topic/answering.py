"""From what became of a command to the message that says so."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.command_door import receipt_body
from api.command_topic.reading import NoOrder
from api.problems import describe, encode
from bus.kafka.messages import Message, Reply
from bus.kafka.records import Headers
from commands.order import Outcome, Refusal

RECEIPT: Final = "daybook.receipt"
REFUSAL: Final = "daybook.refusal"


def answer_of(message: Message, command_id: str, outcome: Outcome, topic: str) -> Reply:
    """The receipt of a command, or the problem why there is none, under the key that the command came with."""
    if isinstance(outcome, Refusal):
        return Reply(topic, message.key, _headers(REFUSAL, command_id), encode(describe(outcome.error, command_id)))
    return Reply(topic, message.key, _headers(RECEIPT, command_id), orjson.dumps(receipt_body(outcome)))


def refused(message: Message, why: NoOrder, topic: str) -> Reply:
    """A message that is no command, byte for byte as it came, with why it is none and where it lay."""
    problem: Mapping[str, Any] = describe(why.error)
    told = {
        "daybook_code": problem["code"],
        "daybook_reason": problem["detail"],
        "daybook_partition": str(message.partition),
        "daybook_offset": str(message.offset),
    }
    headers = [*message.headers, *((name, text.encode("utf-8", "replace")) for name, text in told.items())]
    return Reply(topic, message.key, headers, message.value)


def _headers(kind: str, command_id: str) -> Headers:
    said = {
        "ce_specversion": "1.0",
        "ce_id": f"{kind}:{command_id}",
        "ce_source": "daybook",
        "ce_type": kind,
        "ce_subject": command_id,
        "content-type": "application/json",
    }
    return [(name, text.encode()) for name, text in said.items()]
