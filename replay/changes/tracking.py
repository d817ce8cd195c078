"""The attributes of records followed through their events, so that each event can be told with what was before it."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from domain.envelope import StoredEvent
from replay.changes.attributes import says

MOST_RECORDS: Final = 1000
"""Records whose attributes are kept at hand."""
_TOGETHER: Final = 100
"""Records that are read at once."""

Attributes = dict[str, Any]


class Histories(Protocol):
    """Where earlier events come from; the log fulfils it."""

    def read_streams(self, stream_ids: Sequence[str], upto: int) -> list[StoredEvent]:
        """Several streams' events up to a position, each stream's in order."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """The attributes that an event changed: the same names before and after it, None where there was or is nothing."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


def step(attributes: Attributes, event: StoredEvent) -> Change:
    """What an event changes; `attributes` are those before it, and after it when this returns."""
    said = says(event.type, event.data)
    after = dict(said.sets)
    for name, member in said.gains.items():
        members: list[Any] = attributes.get(name) or []
        after[name] = members if member in members else [*members, member]
    changed = [name for name, value in after.items() if attributes.get(name) != value]
    change = Change({name: attributes.get(name) for name in changed}, {name: after[name] for name in changed})
    attributes.update(after)
    return change


class Changes:
    """Tells what events changed, for one reader that goes on through the log: records are remembered from event to event."""

    def __init__(self, log: Histories, *, most: int = MOST_RECORDS) -> None:
        self._log = log
        self._most = most
        self._known: OrderedDict[str, tuple[int, Attributes]] = OrderedDict()
        """By stream, the version up to which its attributes are known."""

    def of(self, events: Sequence[StoredEvent]) -> list[Change]:
        """What each of these events changed, which are in the order of their positions. Raises what reading the log raises."""
        wanted: dict[str, list[StoredEvent]] = {}
        for event in events:
            wanted.setdefault(event.stream_id, []).append(event)
        unknown = [stream for stream, its in wanted.items() if not self._follow(its)]
        changes: dict[int, Change] = {}
        for start in range(0, len(unknown), _TOGETHER):
            changes |= self._read(unknown[start : start + _TOGETHER], events[-1].position)
        for stream in wanted.keys() - set(unknown):
            changes |= self._go_on(stream, wanted[stream])
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return [changes[event.position] for event in events]

    def _follow(self, events: Sequence[StoredEvent]) -> bool:
        """Whether what was before these events of one record is known: none is left out, since the last that was told or the first."""
        first, last = events[0].version, events[-1].version
        version, _ = self._known.get(events[0].stream_id, (0, {}))
        return last - first + 1 == len(events) and (first == 1 or version == first - 1)

    def _read(self, streams: Sequence[str], upto: int) -> dict[int, Change]:
        """What all events of these records changed, up to a position."""
        attributes: dict[str, Attributes] = {stream: {} for stream in streams}
        changes: dict[int, Change] = {}
        for event in self._log.read_streams(streams, upto):
            changes[event.position] = step(attributes[event.stream_id], event)
            self._known[event.stream_id] = (event.version, attributes[event.stream_id])
        return changes

    def _go_on(self, stream: str, events: Sequence[StoredEvent]) -> dict[int, Change]:
        attributes = {} if events[0].version == 1 else self._known.pop(stream)[1]
        changes = {event.position: step(attributes, event) for event in events}
        self._known[stream] = (events[-1].version, attributes)
        return changes
