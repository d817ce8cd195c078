"""Opening the files of an import: plain or gzip, within limits, as bytes or as text."""

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.imports.errors import UnreadableFile

GZIP = b"\x1f\x8b"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What an import takes at the most: characters in a cell, in a row and in a line; columns; bytes of a file once unpacked.

    A packed file may unpack to `ratio` times its size, and to `free` bytes in any case.
    """

    cell: int = 131_072
    row: int = 4 * _MIB
    columns: int = 2_000
    file: int = 16 * 1024 * _MIB
    ratio: int = 200
    free: int = 64 * _MIB
    case_events: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row or event: its filled cells by column, its number among the file's rows and the line where it begins, both from 1."""

    file: str
    number: int
    line: int
    cells: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read; `cells` is as much of it as there is."""

    row: Row
    code: str
    message: str


class _Counted(io.RawIOBase):
    """Bytes of a file, unpacked, up to a limit."""

    def __init__(self, source: io.BufferedIOBase, packed: io.BufferedIOBase, name: str, most: int) -> None:
        self._source = source
        self._packed = packed
        self._name = name
        self._left = most
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        try:
            chunk = self._source.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(self._name, f"it is damaged and cannot be unpacked to its end ({error})") from None
        self._left -= len(chunk)
        if self._left < 0:
            raise UnreadableFile(
                self._name, f"it unpacks to more than {self._most:,} bytes; if it is sound, unpack it yourself or split it"
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
            self._packed.close()
        super().close()


def open_bytes(path: Path, limits: Limits) -> io.BufferedReader:
    """The file's bytes, unpacked if it is gzip (told by its first bytes). Reading raises UnreadableFile."""
    try:
        plain = path.open("rb")
        packed = plain.read(2) == GZIP
        plain.seek(0)
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFile(path.name, f"it cannot be opened: {error.strerror}") from None
    if not packed:
        return io.BufferedReader(_Counted(plain, plain, path.name, limits.file), _MIB)
    most = min(limits.file, max(limits.free, limits.ratio * size))
    return io.BufferedReader(_Counted(gzip.GzipFile(fileobj=plain, mode="rb"), plain, path.name, most), _MIB)
