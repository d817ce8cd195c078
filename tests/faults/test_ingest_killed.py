"""kill -9 of `daybook ingest` at any moment, and again: the log ends as after one clean run."""

import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults import history, readmodels
from tests.faults.commands import Forked, start
from tests.faults.files import write_stories

MOST_KILLS = 4


def ingest(data: Path, file: Path) -> Forked:
    return start(data, "ingest", str(file), output=data.with_name(data.name + ".ingest.txt"))


def kill_at_most(times: int, data: Path, file: Path, moments: random.Random, takes: float) -> int:
    """Ingest a file to its end, killed before at most so many times; how often it was."""
    for kills in range(times):
        running = ingest(data, file)
        try:
            assert running.wait(moments.uniform(0.05, 1.0) * takes) == 1
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        else:
            return kills
    assert ingest(data, file).wait(300) == 1
    return times


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_file_whose_ingest_is_killed_and_run_again_ends_like_one_clean_run(tmp_path: Path, soak: bool) -> None:  # noqa: FBT001
    file = write_stories(tmp_path / "stories.ndjson", 2_500 if soak else 500, name="stories")
    began = time.monotonic()
    assert ingest(tmp_path / "clean", file).wait(300) == 1, "some lines are refused"
    takes = time.monotonic() - began
    clean = history.streams(tmp_path / "clean")
    moments = random.Random(3)
    kills = 0
    for round_ in range(20 if soak else 2):
        data = tmp_path / f"killed-{round_}"
        kills += kill_at_most(MOST_KILLS, data, file, moments, takes)
        assert history.streams(data) == clean
    assert kills > 0
    assert not readmodels.differences(data)
