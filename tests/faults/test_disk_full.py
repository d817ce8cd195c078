"""The disk is full, or files may not grow: nothing is acknowledged that is not durable, callers are told so, and when there is room again all goes on."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, Ledger, talking
from tests.faults.commands import ROOT
from tests.faults.server import Server

FILES = ("log.db", "log.db-wal")


def wait_for_refusals(ledger: Ledger, more: int) -> None:
    """Wait until so many more requests were answered that nothing can be written."""
    enough = ledger.unavailable.total() + more
    deadline = time.monotonic() + 60
    while ledger.unavailable.total() < enough:
        assert time.monotonic() < deadline, f"nobody was told that the disk is full: {ledger.unavailable}"
        time.sleep(0.02)


def wait_for_receipts(ledger: Ledger, more: int) -> None:
    """Wait until so many more commands were acknowledged."""
    enough = len(ledger.accepted) + more
    deadline = time.monotonic() + 60
    while len(ledger.accepted) < enough:
        assert time.monotonic() < deadline, f"no command was acknowledged any more: {ledger.unavailable}"
        time.sleep(0.02)


def check(data: Path, ledger: Ledger) -> None:
    """What must hold in the end."""
    findings = history.examine(data, ledger)
    assert not str(findings)
    assert not readmodels.differences(data)
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_when_files_may_not_grow_nothing_false_is_acknowledged_and_later_all_goes_on(data_folder: Path, soak: bool) -> None:  # noqa: FBT001
    server = Server(data_folder).started()
    crowd = Crowd(server.port, 8, seed=4)
    assert server.process is not None
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    try:
        with talking(crowd) as ledger:
            for _ in range(10 if soak else 2):
                wait_for_receipts(ledger, 200)
                full = max((data_folder / name).stat().st_size for name in FILES)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, before[1]))
                wait_for_refusals(ledger, 40)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            wait_for_receipts(ledger, 200)
        readmodels.caught_up(server)
        assert not history.asked_again(server, ledger)
        assert server.stop() == 0
    finally:
        server.kill()
    assert set(ledger.unavailable) <= {"log.unavailable", "log.full", "keys.unavailable"}
    check(data_folder, ledger)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A file system of 24 MB in a world of its own: the process that keeps it, and where it lies for that one."""
    place = tmp_path / "disk"
    place.mkdir()
    script = f'mount -t tmpfs -o size=24m tmpfs "{place}" && echo mounted && exec sleep 3600'
    keeper = subprocess.Popen(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert keeper.stdout is not None
    try:
        if keeper.stdout.readline() != b"mounted\n":
            pytest.skip("this system lets nobody but root mount a file system, not even for themselves")
        yield keeper.pid, place
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_when_the_disk_is_full_nothing_false_is_acknowledged_and_later_all_goes_on(tmp_path: Path, small_disk: tuple[int, Path]) -> None:
    keeper, place = small_disk
    enter = ("nsenter", "--mount", "--user", "--preserve-credentials", f"--wd={ROOT}", "--target", str(keeper))
    server = Server(place / "data", prefix=enter, said=tmp_path / "said.txt").started()
    seen = Path(f"/proc/{keeper}/root") / place.relative_to("/")
    crowd = Crowd(server.port, 8, seed=6)
    try:
        with talking(crowd) as ledger:
            wait_for_receipts(ledger, 200)
            fill(seen / "filler")
            wait_for_refusals(ledger, 40)
            (seen / "filler").unlink()
            wait_for_receipts(ledger, 200)
        readmodels.caught_up(server)
        assert not history.asked_again(server, ledger)
        assert server.stop() == 0
    finally:
        server.kill()
    assert set(ledger.unavailable) <= {"log.unavailable", "log.full", "keys.unavailable"}
    assert "log.full" in ledger.unavailable
    shutil.copytree(seen / "data", tmp_path / "data")
    check(tmp_path / "data", ledger)


def fill(file: Path) -> None:
    """Write until there is no room left."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    os.write(descriptor, b"x" * size)
            except OSError:
                continue
    finally:
        os.close(descriptor)
