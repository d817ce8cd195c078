"""What comes from a topic and goes to one, whatever it means."""

from dataclasses import dataclass

from bus.kafka.records import Headers


@dataclass(frozen=True, slots=True)
class Message:
    """A record of a topic as it lies there."""

    key: bytes | None
    headers: Headers
    value: bytes | None
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A record that is to be sent to some topic."""

    topic: str
    key: bytes | None
    headers: Headers
    value: bytes | None
