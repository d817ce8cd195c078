"""One process at a time folds in a data folder, and says so while it serves."""

import json
import os
from pathlib import Path

import pytest

from api.folder import Folder, announced, held, is_held, server
from api.problems import Unavailable


def test_a_folder_is_held_by_one_at_a_time(data_folder: Path) -> None:
    folder = Folder(data_folder)
    with held(folder):
        assert is_held(folder)
        with pytest.raises(Unavailable) as refused, held(folder, patience=0.1):
            pytest.fail("two hold the folder")
        assert refused.value.code == "folder.held"
    assert not is_held(folder)


def test_who_serves_is_known_while_it_does(data_folder: Path) -> None:
    folder = Folder(data_folder)
    with held(folder), announced(folder, "http://127.0.0.1:1"):
        assert server(folder) == {"pid": os.getpid(), "url": "http://127.0.0.1:1"}
    assert server(folder) is None


def test_what_a_killed_server_left_behind_does_not_count(data_folder: Path) -> None:
    folder = Folder(data_folder)
    folder.server.write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1"}))
    assert server(folder) is None


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "new" / "data")
    folder.make()
    assert folder.path.stat().st_mode & 0o777 == 0o700
