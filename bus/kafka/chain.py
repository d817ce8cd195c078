"""Telling, record by record, whether a partition's events follow one another: what is new, what was seen before, and where something lacks."""

from dataclasses import replace

from bus.errors import TopicBroken
from bus.kafka.records import Incoming


class Chain:
    """How far one partition has been dealt with.

    Every publisher ships a partition's events in order and without a gap, from where it begins, which is never after what the topic has. So
    however the records of several publishers stand between one another: whoever drops what was seen before has all events, in order.
    """

    def __init__(self, upto: int) -> None:
        self.upto = upto
        """All of the partition's events up to this position have been dealt with, or are being."""

    def admit(self, record: Incoming) -> Incoming | None:
        """What is new in a record, None when nothing is; whoever fails to deal with it begins another chain where the last one held.

        Raises TopicBroken `topic.gap` when something lacks before it. Go back to the partition's beginning then: what lacks may stand there,
        as the offset that was begun at was only a hint. If it lacks there too, it was not kept.
        """
        if record.upto <= self.upto:
            return None
        if record.previous > self.upto:
            message = (
                f"partition {record.partition} goes on at offset {record.offset} after position {record.previous}, "
                f"but what is known ends at {self.upto}"
            )
            raise TopicBroken("topic.gap", message)
        seen = record.position <= self.upto
        self.upto = record.upto
        return replace(record, event=None) if seen else record
