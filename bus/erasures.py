"""Who was erased: a list apart from the log and the keys, so that no restored copy of either brings a person's key back.

A line is the proof event itself, which says nothing personal. Whatever is on the list has no key: opening a vault sees to it.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final
from uuid import UUID

import orjson

from bus.errors import LogUnavailable

_KEPT: Final = ("occurred_at", "recorded_at", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """That a person was erased, as the proof event tells it."""

    person: UUID
    type: str
    """Of the event, such as `contact.erased`."""
    event_id: str
    occurred_at: str
    recorded_at: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, person: UUID, event_type: str, state: str | bytes) -> "Erasure":
        """As the stored event has it."""
        stored = orjson.loads(state)
        return cls(person=person, type=event_type, event_id=stored["id"], **{name: stored[name] for name in _KEPT})


class ErasureList:
    """The list in a file, a line of JSON for each erasure; for any number of threads and processes. Raises LogUnavailable `erasures.unavailable`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def read(self) -> list[Erasure]:
        """All erasures, oldest first, each person once; a line that a crash left unfinished does not count."""
        try:
            lines = self._path.read_bytes().split(b"\n") if self._path.exists() else []
        except OSError as error:
            raise _unavailable(self._path, error) from error
        found = (erasure for line in lines if (erasure := _erasure(line)) is not None)
        return list({erasure.person: erasure for erasure in found}.values())

    def add(self, erasures: Iterable[Erasure]) -> None:
        """Put on the list, durably, whoever is not on it yet."""
        with self._lock:
            known = {erasure.person for erasure in self.read()}
            new = [erasure for erasure in erasures if erasure.person not in known]
            if not new:
                return
            # A line feed in front ends what a crash may have left unfinished; empty lines mean nothing.
            text = b"".join(b"\n" + orjson.dumps(erasure) for erasure in new) + b"\n"
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "ab") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            except OSError as error:
                raise _unavailable(self._path, error) from error


def _erasure(line: bytes) -> Erasure | None:
    try:
        told: dict[str, Any] = orjson.loads(line)
        person = UUID(told.pop("person"))
        return Erasure(person=person, **told)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _unavailable(path: Path, error: OSError) -> LogUnavailable:
    return LogUnavailable("erasures.unavailable", f"the list of erasures {path.name} could not be read or written ({error.strerror})")
