"""What was changed, by whom, when, through which door: a row for each event, straight from the log, for auditors to read and sort."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bus.catalogue import TODAY, personal_fields
from bus.envelopes import Count
from domain.envelope import StoredEvent
from readmodels.opening import Decrypt
from readmodels.sentences import Language, sentence
from replay.changes.telling import told
from replay.changes.tracking import Changes, Histories

MOST_GROUPS: Final = 100
"""Actors, doors or types that totals name; what the others did is told in one number."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How events are told: in which language, with what was before from `histories`, and personal fields readable; None leaves them out."""

    histories: Histories
    language: Language = "en"
    decrypt: Decrypt | None = None


class View:
    """Tells events as rows, for one reader that goes on through the log."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._changes = Changes(telling.histories)

    def rows(self, events: Sequence[StoredEvent]) -> list[Row]:
        """A row for each of these events, which are in the order of their positions. Raises what reading the log raises."""
        if not events:
            return []
        decrypt = self._telling.decrypt
        changes = told(self._changes.of(events), decrypt)
        readable = texts_of(events, decrypt)
        return [
            _row(event, self._says(event, texts)) | {"changes": fields}
            for event, texts, fields in zip(events, readable, changes, strict=True)
        ]

    def _says(self, event: StoredEvent, texts: Mapping[str, str | None]) -> str:
        erased = frozenset(name for name, text in texts.items() if text is None) if self._telling.decrypt else frozenset[str]()
        return sentence(event.type, {**event.data, **texts}, self._telling.language, erased=erased)


def texts_of(events: Sequence[StoredEvent], decrypt: Decrypt | None) -> list[dict[str, str | None]]:
    """The personal fields of each event that say something; None where the person was forgotten, and everywhere without `decrypt`."""
    names = [[name for name in _personal(event.type) if event.data.get(name) is not None] for event in events]
    tokens = [event.data[name] for event, its in zip(events, names, strict=True) for name in its]
    texts = iter(decrypt(tokens) if decrypt else [None] * len(tokens))
    return [{name: next(texts) for name in its} for its in names]


@cache
def _personal(event_type: str) -> Sequence[str]:
    return personal_fields(TODAY.known(event_type))


def _row(event: StoredEvent, says: str) -> Row:
    return {
        "position": event.position,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "source": event.source,
        "command_id": event.command_id,
        "type": event.type,
        "record": event.type.partition(".")[0],
        "record_id": event.stream_id,
        "version": event.version,
        "says": says,
        "irregular": event.irregular,
    }


def totals(counts: Iterable[Count]) -> dict[str, Any]:
    """How many events there are, and of whom, through which doors and of which types: the most first."""
    actors, doors, types = Counter[str](), Counter[str](), Counter[str]()
    for count in counts:
        for counter, name in ((actors, count.actor), (doors, count.source), (types, count.type)):
            counter[name] += count.events
    groups = {"actors": actors, "sources": doors, "types": types}
    return {"events": actors.total(), **{name: _most(counter) for name, counter in groups.items()}}


def _most(counter: Counter[str]) -> list[Row]:
    """The largest groups; what is left is one without a name."""
    ordered = sorted(counter.items(), key=lambda each: (-each[1], each[0]))
    shown: list[Row] = [{"name": name, "events": events} for name, events in ordered[:MOST_GROUPS]]
    rest = sum(events for _, events in ordered[MOST_GROUPS:])
    return [*shown, {"name": None, "events": rest}] if rest else shown
