"""Our recorders keep the promises that the library's own tests ask of a recorder."""

from pathlib import Path
from typing import Any

import pytest
from eventsourcing.tests import persistence as library

from bus import postgres, sqlite


class TestSQLiteRecorder(library.ApplicationRecorderTestCase[Any]):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.datastore = sqlite.Datastore(str(tmp_path / "log.db"))
        self.addCleanup(self.datastore.close)

    def create_recorder(self) -> sqlite.Recorder:
        recorder = sqlite.Recorder(self.datastore)
        recorder.create_table()
        return recorder


class TestPostgresRecorder(library.ApplicationRecorderTestCase[Any]):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self.datastore = postgres.Datastore(postgres_url)
        self.addCleanup(self.datastore.close)

    def create_recorder(self) -> postgres.Recorder:
        recorder = postgres.Recorder(self.datastore)
        recorder.create_table()
        return recorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()
