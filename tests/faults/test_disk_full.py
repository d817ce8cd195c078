"""The disk is full, or files may not grow: nothing is acknowledged that is not durable, callers are told so, and when there is room again all goes on."""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.clients import Crowd, Ledger, talking
from tests.faults.disk import Disk, NoDisk, fill, small_disk
from tests.faults.files import write_stories
from tests.faults.server import Server

FILES = ("log.db", "log.db-wal")
NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 64 MB."""
    try:
        with small_disk(tmp_path / "disk", 64) as made:
            yield made
    except NoDisk:
        pytest.skip("this system lets nobody mount a file system, not even for themselves alone")


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
    assert not str(history.examine(data, ledger))
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
                wait_for_receipts(ledger, 100)
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


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_rebuild_or_a_start_that_finds_no_room_says_so_and_what_serves_goes_on_later(tmp_path: Path, disk: Disk) -> None:
    server = Server(disk.place / "data", inside=disk.keeper, said=tmp_path / "said.txt")
    stories = write_stories(tmp_path / "stories.ndjson", 300, name="stories").read_bytes()
    try:
        server.started()
        assert server.ask("POST", "/v1/commands", ingestible(stories), NDJSON)[0] == 200
        readmodels.caught_up(server)
        fill(disk.seen / "filler", leaving=500_000)
        status, problem = server.ask("POST", "/v1/rebuild", b"{}", JSON)
        assert (status, json.loads(problem)["code"]) == (503, "readmodels.unavailable")
        server.kill()
        assert server.refused()["code"] in {"disk.full", "log.full", "keys.unavailable", "readmodels.unavailable"}
        (disk.seen / "filler").unlink()
        server.started()
        assert server.ask("POST", "/v1/commands", ingestible(stories.replace(b"stories", b"more")), NDJSON)[0] == 200
        readmodels.caught_up(server)
        status, problem = server.ask("POST", "/v1/rebuild", b"{}", JSON)
        assert status == 200, problem
        assert server.stop() == 0
    finally:
        server.kill()
    shutil.copytree(disk.seen / "data", tmp_path / "data")
    assert not readmodels.differences(tmp_path / "data")


def ingestible(lines: bytes) -> bytes:
    """The lines that a server takes as well: those that report nothing, and are JSON."""
    return b"".join(line for line in lines.splitlines(keepends=True) if b'"report"' not in line and line.endswith(b"}\n"))


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_when_the_disk_is_full_nothing_false_is_acknowledged_and_later_all_goes_on(tmp_path: Path, disk: Disk) -> None:
    server = Server(disk.place / "data", inside=disk.keeper, said=tmp_path / "said.txt")
    crowd = Crowd(server.port, 8, seed=6)
    try:
        server.started()
        with talking(crowd) as ledger:
            wait_for_receipts(ledger, 200)
            fill(disk.seen / "filler")
            wait_for_refusals(ledger, 40)
            (disk.seen / "filler").unlink()
            wait_for_receipts(ledger, 200)
        readmodels.caught_up(server)
        assert not history.asked_again(server, ledger)
        assert server.stop() == 0
    finally:
        server.kill()
    assert ledger.unavailable
    assert set(ledger.unavailable) <= {"log.unavailable", "log.full", "keys.unavailable"}
    shutil.copytree(disk.seen / "data", tmp_path / "data")
    check(tmp_path / "data", ledger)
    assert not readmodels.differences(tmp_path / "data")


@pytest.mark.alone
def test_a_bulk_request_that_cannot_be_done_to_its_end_says_what_was_done(tmp_path: Path, disk: Disk) -> None:
    tags = [f"{number} {'x' * 40}" for number in range(20)]
    line = json.dumps({"command": "register_customer", "data": {"name": "A company of some length " * 7, "tags": tags}})
    server = Server(disk.place / "data", inside=disk.keeper, said=tmp_path / "said.txt")
    try:
        server.started()
        fill(disk.seen / "filler", leaving=8_000_000)
        status, body = server.ask("POST", "/v1/commands", (line + "\n").encode() * 5_000, NDJSON)
        assert status == 200, body
        results = [json.loads(each) for each in body.splitlines()]
        assert len(results) == 5_000
        done = [result for result in results if result["status"] == 200]
        refused = results[len(done) :]
        assert 0 < len(done) < 5_000
        assert {result["status"] for result in refused} <= {503, 507}
        assert all((result["status"] == 507) == (result["problem"]["code"] == "log.full") for result in refused)
        assert {result["problem"]["code"] for result in refused} <= {"log.full", "keys.unavailable"}
        assert (
            server.get("/v1/events")["head"] == done[-1]["receipt"]["position"] == sum(len(each["receipt"]["event_ids"]) for each in done)
        )
    finally:
        server.kill()


@pytest.mark.alone
def test_the_fact_store_goes_on_when_there_is_room_again(disk: Disk) -> None:
    program = Path(__file__).with_name("facts_on_a_full_disk.py")
    done = subprocess.run([*disk.enter, sys.executable, str(program), str(disk.place)], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["no room"] == ["outage"] * 3
    assert told["room"] == ["done"] * 2
    assert set(told["little room"]) == {"done", "outage"}
    assert told["room again"] == ["done"] * 3
    assert told["equal"]
    assert told["kept"]
