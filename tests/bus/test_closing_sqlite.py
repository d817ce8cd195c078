"""A SQLite log is closed only when no thread is reading it, for SQLite ends the process otherwise."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest
from eventsourcing.persistence import ConnectionPoolClosedError, OperationalError

from bus import sqlite

CLOSED_UNDER_READERS = """
import sys
from pathlib import Path
from threading import Thread
from time import sleep
from uuid import uuid4

from eventsourcing.persistence import ConnectionPoolClosedError, StoredEvent

from bus.sqlite import Datastore, Recorder

for attempt in range(40):
    datastore = Datastore(str(Path(sys.argv[1]) / f"{attempt}.db"))
    recorder = Recorder(datastore)
    recorder.create_table()
    stream = uuid4()
    recorder.insert_events([StoredEvent(stream, version, "topic", b'"state"') for version in range(500)])
    ends = []

    def read():
        try:
            while True:
                recorder.select_notifications(1, 500)
        except BaseException as error:
            ends.append(type(error))

    readers = [Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    sleep(0.01)
    datastore.close()
    for reader in readers:
        reader.join()
    assert ends == 6 * [ConnectionPoolClosedError], ends
"""


def test_closing_under_readers_refuses_them_and_does_not_end_the_process(tmp_path: Path) -> None:
    # In a process of its own, for a failure is a segmentation fault.
    ended = subprocess.run([sys.executable, "-c", CLOSED_UNDER_READERS, str(tmp_path)], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_closing_waits_for_what_is_in_use(tmp_path: Path) -> None:
    datastore = sqlite.Datastore(str(tmp_path / "log.db"))
    using, ended = Event(), []

    def use() -> None:
        with datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
            using.set()
            time.sleep(0.2)
            ended.append(cursor.execute("SELECT 1").fetchone()[0])

    user = Thread(target=use)
    user.start()
    using.wait()
    datastore.close()
    assert ended == [1]
    user.join()
    with pytest.raises(ConnectionPoolClosedError), datastore.get_connection(commit=False):
        pass


def test_a_connection_that_is_never_given_back_is_not_closed_under_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_READ_SECONDS", 0.05)
    datastore = sqlite.Datastore(str(tmp_path / "log.db"))
    with datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
        with pytest.raises(OperationalError, match="in use"):
            datastore.close()
        assert cursor.execute("SELECT 1").fetchone()[0] == 1
    datastore.close()
