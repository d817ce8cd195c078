"""The archive of one log: what is in it and can be trusted, and writing what is missing."""

import logging
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock, RLock
from typing import Final

from projections.archive import Stretch, fingerprint
from projections.feed import Feed
from replay.archive.manifest import BadManifest, File, Segment, load, save, sweep
from replay.archive.writing import CLASSES, digest_of, write

log = logging.getLogger(__name__)

SEGMENT: Final = 2**18
"""Positions of a whole segment: about 30 MiB in files."""
SHORT: Final = 2**15
"""Positions of a short segment: what is newer is typed from the log whenever the past is asked about."""

Progress = Callable[[int, int], None]
"""Told how many events are written, out of how many."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something of the archive that is not used: it is read from the log instead until it is written anew."""

    after: int
    upto: int
    file: str | None
    """The file that it is about; None for a whole segment."""
    why: str

    def __str__(self) -> str:
        return f"archive: {self.file or f'the segment after position {self.after} up to {self.upto}'} {self.why}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the archive has come."""

    position: int
    """Up to which position it goes."""
    head: int
    segments: int
    files: int
    events: int
    bytes: int
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: a segment, or those of its files that were bad."""

    after: int
    upto: int
    files: int
    events: int


Stat = tuple[int, int, int]


class Archive:
    """One log's archive in a folder; for any number of threads of the one process that holds the data folder.

    Opening removes what a killed process has left behind. A manifest that cannot be read begins a new archive. Segments
    whose ends are not those of the log (another log's, or of a time before an older log was restored) are troubles, like files
    that are missing, changed or of an older shape; none of them is read until it has been written anew.
    """

    def __init__(self, folder: Path, feed: Feed, *, segment: int = SEGMENT, short: int = SHORT) -> None:
        """Open the archive in `folder`, made if it is not there. Raises OSError when it cannot be read or written."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self.failure: str | None = None
        """Why nothing could be written when that was tried last; None when all is well."""
        self._feed = feed
        self._size, self._short = segment, short
        self._turn = RLock()
        """Held by the one who writes."""
        self._lock = Lock()
        """Held while what follows is looked at or changed."""
        self._readers = 0
        self._replaced: list[Segment] = []
        self._verified: dict[str, tuple[Stat, str]] = {}
        self._troubles: dict[tuple[int, str | None], Trouble] = {}
        self._segments = self._opened()
        sweep(folder, self._segments)

    def _opened(self) -> tuple[Segment, ...]:
        try:
            segments = load(self.folder)
        except BadManifest as error:
            log.warning("archive: %s; what is archived is written anew", error)
            return ()
        ends = [end for segment in segments for end in segment.ends]
        head = self._feed.head()
        found = {event.position: event.id for event in self._feed.read_at([end.position for end in ends if end.position <= head])}
        for segment in segments:
            if segment.upto > head or any(found.get(end.position) != end.id for end in segment.ends):
                self._note(Trouble(segment.after, segment.upto, None, "is of another log, or of another time of this one"))
        return segments

    def _note(self, trouble: Trouble) -> None:
        if self._troubles.setdefault((trouble.after, trouble.file), trouble) is trouble:
            log.warning("%s; its events are read from the log until it is written anew", trouble)

    @property
    def position(self) -> int:
        """Up to which position it goes."""
        return self._segments[-1].upto if self._segments else 0

    def standing(self) -> Standing:
        """How far it has come, and what is known to be wrong with it."""
        segments = self._segments
        files = [file for segment in segments for file in segment.files.values()]
        events = sum(segment.events for segment in segments)
        with self._lock:
            troubles = tuple(self._troubles[key] for key in sorted(self._troubles, key=str))
        return Standing(self.position, self._feed.head(), len(segments), len(files), events, sum(f.bytes for f in files), troubles)

    @contextmanager
    def reading(self, upto: int, types: Collection[str]) -> Generator[Sequence[Stretch]]:
        """Stretches that follow each other from the first event on, none beyond `upto`, with the trusted files of `types`."""
        with self._lock:
            self._readers += 1
            segments = self._segments
        try:
            yield [self._stretch(segment, upto, types) for segment in segments if segment.after < upto]
        finally:
            with self._lock:
                self._readers -= 1
                self._forget()

    def _stretch(self, segment: Segment, upto: int, types: Collection[str]) -> Stretch:
        end, whole = min(segment.upto, upto), segment.upto <= upto
        if (segment.after, None) in self._troubles:
            return Stretch(segment.after, end, whole, {}, {}, frozenset(types))
        files = {event_type: file for event_type, file in segment.files.items() if event_type in types}
        good = {event_type: file for event_type, file in files.items() if self._trusted(segment, event_type, file)}
        unfiled = (files.keys() - good.keys()) | (segment.left.keys() & set(types))
        paths = {event_type: self.folder / file.name for event_type, file in good.items()}
        return Stretch(segment.after, end, whole, paths, {event_type: file.rows for event_type, file in good.items()}, frozenset(unfiled))

    def _trusted(self, segment: Segment, event_type: str, file: File) -> bool:
        """Whether a file is what was written; its hash is taken before it is first used in this process, and when it has changed since."""
        if file.shape != fingerprint(CLASSES[event_type]):
            self._note(Trouble(segment.after, segment.upto, file.name, "is of an older shape of its events"))
            return False
        why = self._wrong(file)
        if why:
            self._note(Trouble(segment.after, segment.upto, file.name, why))
        return why is None

    def _wrong(self, file: File) -> str | None:
        path = self.folder / file.name
        try:
            seen = path.stat()
            stat = (seen.st_size, seen.st_mtime_ns, seen.st_ino)
            if self._verified.get(file.name) == (stat, file.sha256):
                return None
            if seen.st_size != file.bytes or digest_of(path) != file.sha256:
                return "is damaged"
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        self._verified[file.name] = (stat, file.sha256)
        return None

    def verify(self, progress: Progress | None = None) -> list[Trouble]:
        """Hash every file again, and say what is wrong with the archive."""
        segments = self._segments
        done, everything = 0, sum(segment.events for segment in segments)
        for segment in segments:
            for event_type, file in segment.files.items():
                self._verified.pop(file.name, None)
                self._trusted(segment, event_type, file)
            done += segment.events
            if progress is not None:
                progress(done, everything)
        return list(self.standing().troubles)

    def behind(self) -> bool:
        """Whether there is something to write: what is bad, or a whole segment."""
        head = self._feed.head()
        return bool(self._troubles) or head - self._whole() >= self._size or head - self.position >= self._short

    def _whole(self) -> int:
        """Up to where there are whole segments: after them short ones may stand, which a whole one takes the place of in time."""
        end = 0
        for segment in self._segments:
            if segment.upto - segment.after < self._size:
                break
            end = segment.upto
        return end

    def keep_up(self, *, short: bool = False, threads: int = 1, progress: Progress | None = None) -> Iterator[Written]:
        """Write what is bad anew, then all segments that there are events for, whole ones first; with `short` also what is left then.

        Gives what was written as it goes on. Raises OSError or duckdb.Error when it cannot be written, and what reading the log raises.
        """
        with self._turn:
            head, done = self._feed.head(), 0
            mending = sum(upto - after for after, upto, _ in self._bad())
            everything = mending + head - self._whole()
            for after, upto, types in self._bad():
                yield self._write(after, upto, types, threads, _from(progress, done, everything))
                done += upto - after
            while head - (after := self._whole()) >= self._size:
                yield self._write(after, after + self._size, None, threads, _from(progress, done, everything))
                done += self._size
            done = everything - (head - self.position)
            while head - (after := self.position) >= (1 if short else self._short):
                yield self._write(after, min(after + self._size, head), None, threads, _from(progress, done, everything))

    def _bad(self) -> list[tuple[int, int, frozenset[str] | None]]:
        """Which segments have to be written anew, and which types of each (None: all). What is beyond the log is dropped instead."""
        with self._lock:
            self._drop_beyond(self._feed.head())
            wanted: list[tuple[int, int, frozenset[str] | None]] = []
            for segment in self._segments:
                names = {trouble.file for trouble in self._troubles.values() if trouble.after == segment.after}
                if None in names:
                    wanted.append((segment.after, segment.upto, None))
                elif names:
                    types = frozenset(event_type for event_type, file in segment.files.items() if file.name in names)
                    wanted.append((segment.after, segment.upto, types))
            return wanted

    def _drop_beyond(self, head: int) -> None:
        kept = tuple(segment for segment in self._segments if segment.upto <= head)
        if len(kept) < len(self._segments):
            self._switch(kept)

    def _write(self, after: int, upto: int, types: frozenset[str] | None, threads: int, progress: Callable[[int], None]) -> Written:
        made = write(self._feed, self.folder, after, upto, types=types, threads=threads, done=progress)
        with self._lock:
            segment = made
            if types is not None:
                old = next(each for each in self._segments if each.after == after)
                files = {event_type: file for event_type, file in old.files.items() if event_type not in types}
                left = {event_type: why for event_type, why in old.left.items() if event_type not in types}
                segment = replace(old, files={**files, **made.files}, left={**left, **made.left})
            before = [each for each in self._segments if each.upto <= after]
            behind = [each for each in self._segments if each.after >= upto]
            self._switch((*before, segment, *behind))
            self._troubles = {key: trouble for key, trouble in self._troubles.items() if not after <= trouble.after < upto}
        return Written(after, upto, len(made.files), sum(file.rows for file in made.files.values()))

    def _switch(self, segments: tuple[Segment, ...]) -> None:
        save(self.folder, segments)
        ranges = {(segment.after, segment.upto) for segment in segments}
        begins = {segment.after for segment in segments}
        self._troubles = {key: trouble for key, trouble in self._troubles.items() if trouble.after in begins}
        self._replaced += [old for old in self._segments if (old.after, old.upto) not in ranges]
        self._segments = segments
        self._forget()

    def _forget(self) -> None:
        """Remove the files that were replaced, once nobody reads them."""
        if self._readers or not self._replaced:
            return
        named = {file.name for segment in self._segments for file in segment.files.values()}
        for segment in self._replaced:
            for file in segment.files.values():
                if file.name not in named:
                    (self.folder / file.name).unlink(missing_ok=True)
        self._replaced.clear()


def _from(progress: Progress | None, done: int, everything: int) -> Callable[[int], None]:
    def tell(events: int) -> None:
        if progress is not None:
            progress(min(done + events, everything), everything)

    return tell
