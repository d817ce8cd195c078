"""Many commands straight into the log: NDJSON in, one transaction for a thousand lines, refused lines into a file of their own."""

import gzip
import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from api.lines import Door, parse_line
from api.problems import describe, encode
from commands.order import Order, Outcome, Refusal
from domain.errors import DaybookError, NotFound

CHUNK: Final = 2_000
"""Lines that one transaction takes."""
STDIN: Final = "-"


class Executor(Protocol):
    """What decides and appends: the dispatcher."""

    def execute(self, orders: Sequence[Order], *, atomic: bool = False) -> list[Outcome]: ...


@dataclass(slots=True)
class Tally:
    """What came of an ingest so far."""

    lines: int = 0
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    events: int = 0
    position: int = 0
    """Of the last event written or found again."""


@dataclass(frozen=True, slots=True)
class Source:
    """An opened input; `read` tells how many of its `size` bytes (None: unknown) have been read."""

    lines: Iterable[bytes]
    read: Callable[[], int]
    size: int | None


@contextmanager
def opened(name: str) -> Generator[Source]:
    """A file, a .gz file, or standard input for `-`. Raises NotFound `file.unknown`."""
    if name == STDIN:
        counted = _Counted(sys.stdin.buffer)
        yield Source(counted, lambda: counted.read, None)
        return
    path = Path(name)
    if not path.is_file():
        raise NotFound("file.unknown", f"there is no file {name}")
    with path.open("rb") as raw:
        lines = io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 20) if _is_gzip(raw) else raw  # type: ignore[type-var]
        yield Source(lines, raw.tell, path.stat().st_size)


class _Counted:
    """Lines of a stream that cannot tell how far it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self.read += len(line)
            yield line


def _is_gzip(raw: BinaryIO) -> bool:
    magic = raw.read(2)
    raw.seek(0)
    return magic == b"\x1f\x8b"


def ingest(
    lines: Iterable[bytes], executor: Executor, door: Door, *, refused: Callable[[bytes], object], advanced: Callable[[Tally], object]
) -> Tally:
    """Send each line's command to the log, in order, in chunks that are durable before the next begins.

    `refused` takes an NDJSON line for each line that was not taken: its number, the problem and the line itself;
    `advanced` hears of each chunk. Raises what the log raises; then every chunk before is durable.
    """
    tally = Tally()
    source = iter(lines)
    while chunk := list(islice(source, CHUNK)):
        numbered = [(number, line) for number, line in enumerate(chunk, tally.lines + 1) if not line.isspace()]
        items = [parse_line(line, door) for _, line in numbered]
        orders = [item for item in items if isinstance(item, Order)]
        outcomes = iter(executor.execute(orders) if orders else ())
        for (number, line), item in zip(numbered, items, strict=True):
            _count(tally, next(outcomes) if isinstance(item, Order) else item, number, line, refused)
        tally.lines += len(chunk)
        advanced(tally)
    return tally


def _count(tally: Tally, outcome: Outcome | DaybookError, number: int, line: bytes, refused: Callable[[bytes], object]) -> None:
    if isinstance(outcome, Refusal | DaybookError):
        error = outcome if isinstance(outcome, DaybookError) else outcome.error
        tally.refused += 1
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        refused(encode({"line": number, "problem": describe(error), "text": text}) + b"\n")
        return
    tally.accepted += 1
    tally.repeated += outcome.repeated
    tally.events += 0 if outcome.repeated else len(outcome.event_ids)
    tally.position = max(tally.position, outcome.position)
