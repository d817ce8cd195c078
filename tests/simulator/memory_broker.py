"""A broker in memory with one topic and one group, as unkind to its clients as a broker may be."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from bus.catalogue import TODAY
from bus.codec import Codec
from bus.errors import KafkaUnavailable
from bus.kafka.records import Headers, Incoming, read
from bus.kafka.sending import Load, Unsure
from bus.kafka.tails import Tail

MOST: Final = 12
CODEC: Final = Codec(TODAY)


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as it lies in the topic."""

    partition: int
    offset: int
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class MemoryBroker:
    """The topic, who is in the group, and where it is to go on."""

    partitions: int
    chance: random.Random
    records: list[list[Raw]] = field(default_factory=list[list[Raw]])
    committed: dict[int, int] = field(default_factory=dict[int, int])
    members: "list[MemoryReader]" = field(default_factory=list["MemoryReader"])
    shares: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    failing: bool = False
    """Whether the next batches arrive in some partitions only, and nobody is told."""
    kind: bool = False
    """Whether it plays no tricks."""
    life: int = 0
    """How often it has forgotten everything."""

    def __post_init__(self) -> None:
        self.records = [[] for _ in range(self.partitions)]

    def share(self) -> None:
        """Share the partitions anew; members learn of it when they ask next."""
        owners = [self.chance.choice(self.members) for _ in range(self.partitions)] if self.members else []
        self.shares = {member.name: [part for part, owner in enumerate(owners) if owner is member] for member in self.members}

    def wipe(self) -> None:
        """Forget everything."""
        self.records = [[] for _ in range(self.partitions)]
        self.committed = {}
        self.life += 1

    def tails(self) -> list[Tail]:
        """What a publisher that begins finds."""
        return [_tail(records) for records in self.records]


def _tail(records: Sequence[Raw]) -> Tail:
    if not records:
        return Tail()
    last = read(records[-1], None)
    return Tail(last.upto, last.settled_id, last.position, last.offset + 1, last.epoch)


class MemorySender:
    """Writes each partition's batch whole or not at all; who wrote where another had written learns of it afterwards."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._life = broker.life

    def send(self, loads: Sequence[Load], waiting: Callable[[float], None]) -> None:
        """Raises Unsure."""
        broker = self._broker
        waiting(0.0)
        if self._life != broker.life:
            raise Unsure("kafka.unsure", "the topic was deleted")
        arrived = [load for load in loads if not broker.failing or broker.chance.random() < 0.5]
        elsewhere = [load.partition for load in arrived if load.offset != len(broker.records[load.partition])]
        for load in arrived:
            records = broker.records[load.partition]
            records += [Raw(load.partition, len(records) + place, each.value, each.headers) for place, each in enumerate(load.records)]
        if broker.failing:
            raise Unsure("kafka.unsure", f"{len(arrived)} of {len(loads)} batches have arrived")
        if elsewhere:
            raise Unsure("kafka.unsure", f"partitions {elsewhere} went on elsewhere")

    def abandon(self) -> None:
        """Nothing is under way."""


class MemoryReader:
    """A member of the group; `asked` is called before anything is handed out, so that others have their turn."""

    def __init__(self, broker: MemoryBroker, name: str, asked: Callable[[str], None]) -> None:
        self.name = name
        self._broker = broker
        self._asked = asked
        self._places: dict[int, int] = {}
        self._life = broker.life

    def partitions(self) -> int:
        """How many there are."""
        return self._broker.partitions

    def subscribe(self) -> None:
        """Join the group."""
        self._broker.members = [member for member in self._broker.members if member.name != self.name] + [self]

    def assigned(self) -> frozenset[int]:
        """Its partitions, as far as it has heard."""
        return frozenset(self._places)

    def poll(self, _seconds: float, most: int) -> list[Incoming]:
        """Some records of its partitions; what came before may come again."""
        self._asked("asks for more")
        broker = self._broker
        mine = broker.shares.get(self.name, [])
        if self._life != broker.life:
            self._life, self._places = broker.life, {}
        self._places = {part: self._places.get(part, broker.committed.get(part, 0)) for part in mine}
        found: list[Incoming] = []
        for part, place in self._places.items():
            length = min(most, MOST if broker.kind else broker.chance.randint(0, MOST))
            begin = place if broker.kind or broker.chance.random() < 0.9 else broker.chance.randint(0, place)
            some = broker.records[part][begin : begin + length]
            if some:
                found += [read(raw, CODEC) for raw in some]
                self._places[part] = some[-1].offset + 1
        return found

    def seek(self, number: int, offset: int | None) -> None:
        """Go on elsewhere."""
        self._places[number] = offset or 0

    def position(self, number: int) -> int:
        """Where it is."""
        return self._places[number]

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Only who has a partition may say so. Raises KafkaUnavailable."""
        if not offsets.keys() <= set(self._broker.shares.get(self.name, [])) or self._life != self._broker.life:
            raise KafkaUnavailable("kafka.unavailable", "the partitions are shared anew")
        self._broker.committed |= offsets

    def bounds(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """From the first record on, everything is there."""
        return {part: (0, len(self._broker.records[part])) for part in partitions}

    def __enter__(self) -> Self:
        """Nothing more has to be done."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the group."""
        self._broker.members = [member for member in self._broker.members if member is not self]
