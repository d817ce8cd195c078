"""The write-ahead log of a killed writer is torn: what is opened then is a beginning of the history, whole and verified, or refused."""

import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from bus.keystore import open_vault
from bus.log import Log, SQLiteLog
from bus.stored import open_stored
from commands.dispatch import Dispatcher
from commands.order import Order, Receipt
from domain.envelope import StoredEvent
from domain.errors import DaybookError
from replay.audit.keeping import catch_up
from replay.audit.tree import Tree
from tests.held import Held

KEY: Final = bytes(range(32))
HEADER: Final = 32
FRAME_HEADER: Final = 24


@dataclass(slots=True)
class Acknowledged:
    """After each acknowledgement: its receipt, and how long the write-ahead log was then."""

    folder: Path
    receipts: list[tuple[Receipt, int]] = field(default_factory=list[tuple[Receipt, int]])
    ids: list[str] = field(default_factory=list[str])
    """Of all events in order."""
    frame: int = 0
    """Bytes of a frame."""
    size: int = 0
    """Bytes of the whole write-ahead log."""

    def until(self, size: int) -> list[Receipt]:
        """What had been acknowledged when the log had so many bytes."""
        return [receipt for receipt, at in self.receipts if at <= size]


def register(number: int) -> Order:
    data = {"name": f"Customer {number} {'x' * (number % 7 * 25)}", "kind": "company" if number % 2 else "person"}
    return Order(name="register_customer", data=data, command_id=f"c{number}", actor="user:t", source="api")


@contextmanager
def opened(folder: Path) -> Iterator[Log]:
    """The log in a folder."""
    with closing(open_vault(folder / "keys.db", KEY)) as vault, closing(SQLiteLog(folder / "log.db", vault)) as log:
        yield log


def copied(folder: Path, to: Path) -> Path:
    """What a killed process, or a machine that lost power, leaves: the files without the memory that processes shared."""
    to.mkdir()
    for file in folder.iterdir():
        if not file.name.endswith("-shm"):
            shutil.copyfile(file, to / file.name)
    return to


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Acknowledged:
    """A log whose writer was killed within a commit."""
    folder = tmp_path_factory.mktemp("killed")
    live = folder / "live"
    live.mkdir()
    told = Acknowledged(folder / "left")
    with opened(live) as log:
        dispatcher = Dispatcher(log, base_currency="EUR")
        for number in range(24):
            (outcome,) = dispatcher.execute([register(number)])
            assert isinstance(outcome, Receipt)
            told.receipts.append((outcome, (live / "log.db-wal").stat().st_size))
        dispatcher.execute([register(number) for number in range(100, 140)])  # nobody is told of this commit
        told.ids = [event.id for event in log.read(0, 10_000)]
        copied(live, told.folder)
    wal = (told.folder / "log.db-wal").read_bytes()
    told.frame = struct.unpack(">I", wal[8:12])[0] + FRAME_HEADER
    told.size = len(wal)
    return told


def check(folder: Path, told: Acknowledged, acknowledged: Sequence[Receipt]) -> str:
    """What is opened: `prefix` or the code of the refusal. Fails on anything else."""
    try:
        with opened(folder) as log:
            events = log.read(0, 10_000)
            with log.transaction() as tx:
                kept = tx.receipts([receipt.command_id for receipt, _ in told.receipts])
    except DaybookError as error:
        return error.code
    whole_beginning(folder, events, told)
    for receipt in acknowledged:
        stored = kept[receipt.command_id]
        assert (stored.position, stored.event_ids) == (receipt.position, receipt.event_ids)
        assert tuple(event.id for event in events[receipt.position - len(receipt.event_ids) : receipt.position]) == tuple(
            map(str, receipt.event_ids)
        )
    return "prefix"


def whole_beginning(folder: Path, events: Sequence[StoredEvent], told: Acknowledged) -> None:
    """No hole, nothing else, every commit whole, the file in order, and the tree goes through."""
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert [event.id for event in events] == told.ids[: len(events)]
    whole = {0, len(told.ids), *(receipt.position for receipt, _ in told.receipts)}
    assert len(events) in whole
    with closing(sqlite3.connect(folder / "log.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with closing(Tree(folder / "audit.db")) as tree, closing(open_stored(folder / "log.db")) as stored:
        assert catch_up(tree, stored) == len(events)


def edges(told: Acknowledged, chance: random.Random, more: int) -> list[int]:
    """The beginning and end of every frame, the bytes beside them, and some at random."""
    frames = range(HEADER, told.size + 1, told.frame)
    beside = [at + by for at in frames for by in (-1, 0, 1, FRAME_HEADER) if 0 <= at + by <= told.size]
    return sorted({0, 1, HEADER - 1, *beside, *(chance.randrange(told.size) for _ in range(more))})


def test_whatever_of_the_write_ahead_log_is_left_is_a_whole_beginning(
    killed: Acknowledged,
    tmp_path: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    cuts = edges(killed, random.Random(1), 2_000 if soak else 20)
    cuts = cuts if soak else cuts[:: max(1, len(cuts) // 150)] + cuts[-8:]
    for cut in cuts:
        folder = copied(killed.folder, tmp_path / str(cut))
        os.truncate(folder / "log.db-wal", cut)
        assert check(folder, killed, killed.until(cut)) == "prefix"
        shutil.rmtree(folder)
    held(f"write-ahead log cut at {len(cuts)} places, {killed.size // killed.frame} frames: each a whole beginning")


def test_garbled_bytes_leave_a_whole_beginning_or_a_refusal(
    killed: Acknowledged,
    tmp_path: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    chance = random.Random(2)
    outcomes: list[str] = []
    for number in range(1_500 if soak else 100):
        folder = copied(killed.folder, tmp_path / str(number))
        at = chance.choice((chance.randrange(killed.size), HEADER + killed.frame * chance.randrange(killed.size // killed.frame)))
        with (folder / "log.db-wal").open("r+b") as wal:
            wal.seek(at)
            before = wal.read(chance.choice((1, 8, 512, 4_096)))
            wal.seek(at)
            wal.write(bytes(byte ^ chance.randrange(1, 256) for byte in before))
        outcomes.append(check(folder, killed, killed.until(at)))
        shutil.rmtree(folder)
    assert set(outcomes) <= {"prefix", "log.unavailable", "log.foreign", "history.corrupt"}
    assert outcomes.count("prefix") > len(outcomes) / 2
    held(f"write-ahead log garbled {len(outcomes)} times: {outcomes.count('prefix')} whole beginnings, the others refused")


def test_a_garbled_commit_that_nobody_was_told_of_takes_nothing_else_with_it(killed: Acknowledged, tmp_path: Path) -> None:
    last = killed.receipts[-1][1]
    for number, at in enumerate(range(last, killed.size, max(1, (killed.size - last) // 20))):
        folder = copied(killed.folder, tmp_path / str(number))
        with (folder / "log.db-wal").open("r+b") as wal:
            wal.seek(at)
            wal.write(b"\0" * 512)
        assert check(folder, killed, killed.until(last)) == "prefix"
