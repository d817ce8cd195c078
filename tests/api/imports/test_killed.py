"""An import that is killed at any moment and run again ends as one clean run would have."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.api.imports.importing import Books, write

IMPORTER = Path(__file__).with_name("importer.py")


@pytest.fixture
def sample(tmp_path: Path, shared_data: Path) -> Path:
    """The sales files with the first 1,200 opportunities."""
    folder = tmp_path / "sample"
    folder.mkdir()
    for file in (shared_data / "crm_sales").glob("*.csv"):
        lines = file.read_text().splitlines(keepends=True)
        write(folder / file.name, "".join(lines[:1201]).encode())
    return folder


def start(folder: Path, files: Path, chunk: int = 60) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, str(IMPORTER), str(folder), str(chunk), "crm_sales", str(files)])


def streams(folder: Path) -> dict[str, list[object]]:
    books = Books(folder)
    try:
        return books.streams()
    finally:
        books.close()


@pytest.mark.alone
def test_killing_it_at_any_moment_and_running_it_again_changes_nothing(tmp_path: Path, sample: Path, soak: bool) -> None:  # noqa: FBT001
    began = time.monotonic()
    assert start(tmp_path / "clean", sample).wait(120) == 0
    takes = time.monotonic() - began
    clean = streams(tmp_path / "clean")
    moments = random.Random(7)
    kills = 0
    for round_ in range(30 if soak else 3):
        folder = tmp_path / f"killed-{round_}"
        while True:
            process = start(folder, sample)
            try:
                assert process.wait(moments.uniform(0.2, 1.0) * takes) == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        assert streams(folder) == clean
    assert kills > 0


@pytest.mark.alone
def test_two_imports_of_the_same_files_at_once_are_one_import(tmp_path: Path, sample: Path) -> None:
    assert start(tmp_path / "clean", sample).wait(120) == 0
    both = [start(tmp_path / "both", sample) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert streams(tmp_path / "both") == streams(tmp_path / "clean")
