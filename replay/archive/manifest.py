"""The manifest: which files the archive is made of, with what they hold; the archive is what its manifest says."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

NAME: Final = "manifest.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class File:
    """One event type's events of one segment."""

    name: str
    """Within the archive's folder."""
    rows: int
    first: int
    """Its first position."""
    last: int
    bytes: int
    sha256: str
    shape: str
    """The fingerprint of the event's shape that it was written in."""


@dataclass(frozen=True, slots=True)
class End:
    """The first or the last event of a segment: it shows whose log it is of."""

    position: int
    id: str


@dataclass(frozen=True, slots=True)
class Segment:
    """All events after position `after` up to `upto`; every type that occurs has a file, or is `left`."""

    after: int
    upto: int
    events: int
    ends: tuple[End, ...]
    """Its first and its last event; none when there are no events."""
    files: Mapping[str, File]
    left: Mapping[str, str]
    """Types with an event that is not of its type's shape, and what is wrong with it: they are read from the log."""


class BadManifest(Exception):
    """The manifest cannot be read."""


def load(folder: Path) -> tuple[Segment, ...]:
    """The segments in their order; none when nothing was archived yet. Raises BadManifest."""
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return ()
    try:
        told: dict[str, Any] = orjson.loads(content)
        if told["format"] != FORMAT:
            raise BadManifest(f"{NAME} is of format {told['format']}, this version of Daybook reads {FORMAT}")
        segments = tuple(_segment(each) for each in told["segments"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadManifest(f"{NAME} is damaged: {error}") from error
    if any(one.upto != other.after for one, other in pairwise(segments)) or (segments and segments[0].after):
        raise BadManifest(f"{NAME} is damaged: its segments do not follow each other from the beginning")
    return segments


def _segment(told: Mapping[str, Any]) -> Segment:
    return Segment(
        after=int(told["after"]),
        upto=int(told["upto"]),
        events=int(told["events"]),
        ends=tuple(End(**end) for end in told["ends"]),
        files={event_type: File(**file) for event_type, file in told["files"].items()},
        left=dict(told["left"]),
    )


def save(folder: Path, segments: Sequence[Segment]) -> None:
    """Put these segments in the place of those that were there, durably and at once."""
    told = {"format": FORMAT, "segments": [asdict(segment) for segment in segments]}
    draft = folder / f"{NAME}.tmp"
    with draft.open("wb") as file:
        file.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path, segments: Iterable[Segment]) -> list[Path]:
    """Remove what no manifest names: what a killed process left behind, or what has been replaced. Gives what was removed."""
    known = {folder / file.name for segment in segments for file in segment.files.values()}
    found = [path for pattern in ("*/*.parquet", "*/*.tmp", "*.tmp") for path in folder.glob(pattern)]
    removed = [path for path in found if path not in known]
    for path in removed:
        path.unlink(missing_ok=True)
    for place in {path.parent for path in removed} - {folder}:
        with suppress(OSError):  # it is not empty
            place.rmdir()
    return removed
