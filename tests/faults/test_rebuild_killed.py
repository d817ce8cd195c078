"""kill -9 of a rebuild at any moment: what served goes on serving, and another rebuild ends like one that nobody killed."""

import random
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from projections.catalogue import FOLDS
from projections.fold import Home
from projections.plan import plans
from tests.faults import readmodels
from tests.faults.commands import run, start
from tests.faults.files import write_stories
from tests.faults.server import Server

NAMES = {home: [plan.name for plan in plans(FOLDS, home)] for home in Home}


@pytest.fixture(scope="module")
def folded_once(tmp_path_factory: pytest.TempPathFactory, soak: bool) -> Path:  # noqa: FBT001
    """A data folder with some thousands of events and their read models, made once."""
    folder = tmp_path_factory.mktemp("folded")
    file = write_stories(folder / "stories.ndjson", 2_500 if soak else 400, name="stories")
    assert start(folder / "data", "ingest", str(file), output=folder / "ingest.txt").wait(300) == 1
    run(folder / "data", "rebuild")
    return folder / "data"


@pytest.fixture
def folded(folded_once: Path, tmp_path: Path) -> Path:
    """A copy of it, which nobody works in."""
    return shutil.copytree(folded_once, tmp_path / "data")


def served(data: Path) -> Mapping[str, Any]:
    """What the read models' views show in the files themselves, without any help of Daybook's."""
    with closing(sqlite3.connect(data / "lookups.db")) as lookups:
        shown = {f"{name} (lookups)": sorted(map(repr, lookups.execute(f'SELECT * FROM "{name}"'))) for name in NAMES[Home.LOOKUPS]}
    with closing(duckdb.connect(str(data / "facts.duckdb"))) as facts:
        facts.execute("SET TimeZone = 'UTC'")
        for name in NAMES[Home.FACTS]:
            shown[f"{name} (facts)"] = sorted(map(repr, facts.execute(f'SELECT * FROM "{name}"').fetchall()))
    return shown


def states(data: Path) -> list[tuple[str, str]]:
    """Fold and state of every version of the lookups' tables."""
    with closing(sqlite3.connect(data / "lookups.db")) as lookups:
        return lookups.execute("SELECT fold, state FROM folds ORDER BY fold, state").fetchall()


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_rebuild_that_is_killed_leaves_what_served_and_can_be_run_again(folded: Path, soak: bool) -> None:  # noqa: FBT001
    before = served(folded)
    began = time.monotonic()
    run(folded, "rebuild")
    takes = time.monotonic() - began
    assert served(folded) == before
    moments = random.Random(9)
    kills = 0
    for _ in range(30 if soak else 3):
        running = start(folded, "rebuild", output=folded.with_name("rebuild.txt"))
        try:
            assert running.wait(moments.uniform(0.1, 1.0) * takes) == 0
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            kills += 1
        assert served(folded) == before
    assert kills > 0
    run(folded, "rebuild")
    assert served(folded) == before
    assert states(folded) == sorted((name, state) for name in NAMES[Home.LOOKUPS] for state in ("kept", "serving"))
    assert not readmodels.differences(folded)


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_server_that_is_killed_while_it_rebuilds_serves_the_same_when_it_is_back(folded: Path, soak: bool) -> None:  # noqa: FBT001
    before = served(folded)
    moments = random.Random(10)
    server = Server(folded)
    takes = 1.0
    try:
        for round_ in range(20 if soak else 3):
            server.started()
            asking = threading.Thread(target=rebuild, args=(server,), daemon=True)
            began = time.monotonic()
            asking.start()
            if round_ == 0:
                asking.join(120)
                takes = time.monotonic() - began
            else:
                time.sleep(moments.uniform(0.0, 1.0) * takes)
            server.kill()
            asking.join(10)
            assert served(folded) == before
        server.started()
        readmodels.caught_up(server)
        assert {fold["state"] for fold in server.get("/v1/folds")["folds"]} <= {"serving", "kept"}
        assert server.stop() == 0
    finally:
        server.kill()
    assert served(folded) == before
    assert not readmodels.differences(folded)
    assert not server.complaints()


def rebuild(server: Server) -> None:
    """Ask for it; the server may be gone before it answers."""
    with suppress(OSError):
        status, body = server.ask("POST", "/v1/rebuild", b"{}", {"Content-Type": "application/json"})
        assert status == 200, body
