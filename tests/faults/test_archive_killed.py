"""kill -9 of what writes the archive: a segment is whole or absent, and nothing that is half there is ever read."""

import random
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from api.folder import Folder, held
from api.settings import Settings
from api.wiring import open_books, open_daybook
from replay.archive.archive import Archive
from replay.archive.manifest import load
from replay.archive.writing import digest_of
from tests.faults import readmodels
from tests.faults.commands import run, start
from tests.faults.files import write_stories


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with some thousands of events, which nobody archived yet."""
    folder = tmp_path_factory.mktemp("filled")
    file = write_stories(folder / "stories.ndjson", 400, name="stories")
    assert start(folder / "data", "ingest", str(file), output=folder / "ingest.txt").wait(300) == 1
    return folder / "data"


def whole(data: Path) -> int:
    """How many files the manifest names, every one of which is there as it was written."""
    folder = Folder(data).archive
    files = [file for segment in load(folder) for file in segment.files.values()]
    for file in files:
        assert digest_of(folder / file.name) == file.sha256
        with duckdb.connect() as connection:
            found = connection.execute(
                f"SELECT count(*), min(position), max(position) FROM read_parquet('{folder / file.name}')"
            ).fetchone()
            assert found == (file.rows, file.first, file.last)
    return len(files)


@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_an_archive_that_is_killed_while_it_is_written_has_whole_segments_only(filled: Path, tmp_path: Path, soak: bool) -> None:  # noqa: FBT001
    data = shutil.copytree(filled, tmp_path / "data")
    began = time.monotonic()
    run(data, "archive")
    takes = time.monotonic() - began
    everything = whole(data)
    assert everything > 5
    draw = random.Random(4)
    kills = 0
    for _ in range(40 if soak else 5):
        shutil.rmtree(Folder(data).archive)
        running = start(data, "archive", output=tmp_path / "archive.txt")
        try:
            assert running.wait(draw.uniform(0.3, 1.0) * takes) == 0
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            kills += 1
        assert whole(data) in (0, everything)
        with open_books(Settings(data=data)) as books:
            archive = Archive(Folder(data).archive, books.log)
            assert not archive.verify()
            named = {file.name for segment in load(archive.folder) for file in segment.files.values()}
            assert {str(path.relative_to(archive.folder)) for path in archive.folder.glob("*/*")} == named
    assert kills > 0
    run(data, "archive")
    assert whole(data) == everything
    run(data, "rebuild")
    assert not readmodels.differences(data)


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_after_a_crash_a_start_folds_only_what_is_new(filled: Path, tmp_path: Path) -> None:
    data = shutil.copytree(filled, tmp_path / "data")
    run(data, "rebuild")
    more = write_stories(tmp_path / "more.ndjson", 200, name="more")
    running = start(data, "ingest", str(more), output=tmp_path / "ingest.txt")
    with open_books(Settings(data=data)) as books:
        before = books.log.head()
        while books.log.head() == before and running.poll() is None:
            time.sleep(0.01)
    running.kill()
    running.wait()
    before_start, told = numbers(data), list[tuple[int, int]]()
    with held(Folder(data), patience=5.0), open_daybook(Settings(data=data), progress=lambda done, of: told.append((done, of))) as daybook:
        assert {engine.position for engine in daybook.tables.engines.values()} == {daybook.books.log.head()}
        assert daybook.books.log.head() > before
    assert told == []
    assert numbers(data) == before_start
    assert not readmodels.differences(data)


def numbers(data: Path) -> list[tuple[str, int]]:
    """Which tables there are: one that is folded from the beginning has a new number."""
    with closing(sqlite3.connect(data / "lookups.db")) as lookups, closing(duckdb.connect(str(data / "facts.duckdb"))) as facts:
        asked = "SELECT fold, number FROM folds ORDER BY fold, number"
        return [*lookups.execute(asked), *facts.execute(asked).fetchall()]
