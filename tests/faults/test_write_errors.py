"""Writes of the log's files fail: nothing is acknowledged that is not durable, callers are told so, and when writing works again all goes on.

Errors are made by libfiu (Debian's `fiu-utils`), which fails the calls of the server's process; where it is not there, files
may not grow instead (`RLIMIT_FSIZE`), which fails fewer of them. What was used is said.
"""

import http.client
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, Ledger, talking
from tests.faults.server import Server
from tests.held import Held

FAULTS: Final = {
    "pwrite gives EIO": ("posix/io/rw/pwrite", 5),
    "pwrite gives ENOSPC": ("posix/io/rw/pwrite", 28),
    "fdatasync gives EIO": ("posix/io/sync/fdatasync", 5),
}
FILES: Final = ("log.db", "log.db-wal")
LIBFIU: Final = shutil.which("fiu-run") is not None and shutil.which("fiu-ctrl") is not None
ATTEMPTS, LOADED_WITHIN = 3, 40.0
CODES: Final = {"log.unavailable", "log.full", "keys.unavailable"}


@contextmanager
def failing_by_libfiu(server: Server, fault: str) -> Iterator[None]:
    """The calls fail within the context."""
    name, error = FAULTS[fault]
    _control(server, f"enable name={name},failinfo={error}")
    try:
        yield
    finally:
        _control(server, f"disable name={name}")


def _pipes(data: Path) -> str:
    """How the names of the pipes begin over which libfiu is told what is to fail."""
    return str(data.with_name("fiu"))


def _control(server: Server, command: str) -> None:
    assert server.process is not None
    asked = ["fiu-ctrl", "-f", _pipes(server.data), "-c", command, str(server.process.pid)]
    subprocess.run(asked, check=True, capture_output=True, timeout=20)


def started_under_libfiu(data: Path) -> Server | None:
    """A server whose calls can be made to fail, ready; None where there is no libfiu, or it keeps locking itself up.

    It watches every allocation, and now and then two threads that load libraries wait for each other in it for ever.
    """
    for _ in range(ATTEMPTS if LIBFIU else 0):
        server = Server(data, prefix=("fiu-run", "-x", "-f", _pipes(data)))
        server.start()
        deadline = time.monotonic() + LOADED_WITHIN
        while time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                server.ask("GET", "/health", timeout=2)
                return server
            time.sleep(0.1)
        server.kill()
    return None


@contextmanager
def failing_by_limit(server: Server, fault: str) -> Iterator[None]:
    """Files may not grow within the context."""
    del fault
    assert server.process is not None
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    full = max((server.data / name).stat().st_size for name in FILES)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (full, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def wait(done: Callable[[], bool], ledger: Ledger, what: str) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, f"{what}: {ledger.unavailable}, {len(ledger.accepted)} acknowledged"
        time.sleep(0.02)


@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_when_writes_fail_nothing_false_is_acknowledged_and_later_all_goes_on(
    data_folder: Path,
    soak: bool,  # noqa: FBT001
    held: Held,
) -> None:
    failing, used, faults = failing_by_libfiu, "libfiu", list(FAULTS)
    server = started_under_libfiu(data_folder)
    if server is None:
        failing, used, faults = failing_by_limit, "RLIMIT_FSIZE, as libfiu is not there or does not start", ["files may not grow"]
        server = Server(data_folder).started()
    crowd = Crowd(server.port, 8, seed=51)
    refused: dict[str, int] = {}
    try:
        with talking(crowd) as ledger:
            for fault in faults * (5 if soak else 1):
                enough = len(ledger.accepted) + 50
                wait(lambda enough=enough: len(ledger.accepted) >= enough, ledger, "no command was acknowledged any more")
                before = ledger.unavailable.total()
                with failing(server, fault):
                    wait(lambda before=before: ledger.unavailable.total() >= before + 20, ledger, f"{fault}: nobody was told")
                refused[fault] = refused.get(fault, 0) + ledger.unavailable.total() - before
        readmodels.caught_up(server)
        assert not history.asked_again(server, ledger)
        server.stop()
    finally:
        server.kill()
    findings = history.examine(data_folder, ledger)
    apart = readmodels.differences(data_folder)
    assert not str(findings)
    assert not apart
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    assert set(ledger.unavailable) <= CODES
    said = ", ".join(f"{fault} ({many} refused)" for fault, many in refused.items())
    held(
        f"\nwrite errors by {used}: {said}; {len(ledger.accepted):,} commands acknowledged, {findings.events:,} events; "
        f"lost {len(findings.lost)}, applied twice {len(findings.twice)}"
    )
