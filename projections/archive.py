"""The port to the archive: settled events as typed files, so that folding them parses nothing."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from domain.event import Event
from projections.shapes import ENVELOPE, shape
from projections.sql import quoted
from projections.values import Envelope, Field, Value

FORMAT: Final = 1
"""Raised when the make-up of the files changes, so that all are written anew."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The events after position `after` up to `upto`: which of them are in files, and which have to be read from the log."""

    after: int
    upto: int
    whole: bool
    """Whether the files end at `upto`; those of the last stretch may go on beyond it."""
    files: Mapping[str, Path]
    """By event type."""
    rows: Mapping[str, int]
    """How many events each file has."""
    unfiled: frozenset[str]
    """Types whose events there may be, but not in a file that can be trusted."""


class Archive(Protocol):
    """Typed files of the events from the beginning up to some position."""

    def reading(self, upto: int, types: Collection[str]) -> AbstractContextManager[Sequence[Stretch]]:
        """Stretches that follow each other from the first event on, none beyond `upto`, with what is there of `types`.

        Within the context the files stay where they are. Every file has been verified; one that is missing, damaged or
        another log's is not among them.
        """
        ...


def column(field: str) -> str:
    """The name that an event's field has in a file: its own, unless a part of the envelope is called so."""
    return f"data_{field}" if field in ENVELOPE else field


def fingerprint(event: type[Event]) -> str:
    """16 hexadecimal digits over the shape that the files of this type have."""
    fields = [(name, found.kind.value, found.personal) for name, found in shape(event).items()]
    return hashlib.sha256(repr((FORMAT, event.type, event.v, fields)).encode()).hexdigest()[:16]


def filed(used: Iterable[Value], files: Sequence[Path], *, upto: int | None = None) -> str:
    """SELECT the `used` values of the events in `files`, all of one type, as `projections.sql.typed` does from JSON."""
    columns = ["position"]
    for value in sorted(used, key=repr):
        match value:
            case Envelope("position" | "type"):
                pass
            case Envelope(name):
                columns.append(f"{quoted(name)} AS {quoted('e_' + name)}")
            case Field(name):
                columns.append(f"{quoted(column(name))} AS {quoted('d_' + name)}")
            case _:
                pass
    names = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    where = f" WHERE position <= {upto}" if upto is not None else ""
    return f"SELECT {', '.join(dict.fromkeys(columns))} FROM read_parquet([{names}]){where}"
