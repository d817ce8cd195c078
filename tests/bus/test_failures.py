"""What goes wrong with a log's storage is told in terms that a caller can act on, and leaves nothing half-done."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import psycopg
import pytest
from uuid_utils.compat import uuid7

from bus import bulk, postgres, sqlite
from bus.errors import ForeignLog, LogUnavailable
from bus.keystore import open_vault
from bus.log import PostgresLog, SQLiteLog, open_log
from bus.vault import Vault
from tests.contracts.commits import commit, contact, stream_of


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with closing(open_vault(tmp_path / "keys.db", bytes(32))) as opened:
        yield opened


@pytest.fixture
def log(tmp_path: Path, vault: Vault) -> Iterator[SQLiteLog]:
    with closing(SQLiteLog(tmp_path / "log.db", vault)) as opened:
        yield opened


def append_much(log: SQLiteLog) -> None:
    with log.transaction() as tx:
        tx.append([stream_of(50) for _ in range(100)])


def test_a_full_disk_is_said_to_be_full_and_loses_nothing_written_before(log: SQLiteLog) -> None:
    with log.transaction() as tx:
        tx.append([stream_of(3)])
    datastore = cast("sqlite.Datastore", log._datastore)
    with datastore.get_connection(commit=True) as connection, connection.cursor() as cursor:
        # As many pages as there are now: the next one does not fit.
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LogUnavailable) as refusal:
        append_much(log)
    assert refusal.value.code == "log.full"
    assert log.head() == 3
    with datastore.get_connection(commit=True) as connection, connection.cursor() as cursor:
        cursor.execute("PRAGMA max_page_count = 1000000")
    append_much(log)
    assert log.head() == 5003


def test_a_log_that_another_process_keeps_locked_is_said_to_be(log: SQLiteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_WRITE_SECONDS", 0.1)
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable) as refusal:
            append_much(log)
        assert refusal.value.code == "log.locked"
        other.execute("ROLLBACK")
    append_much(log)


def test_a_closed_log_says_so(log: SQLiteLog) -> None:
    log.close()
    for ask in (log.head, lambda: log.read(0, 1), lambda: append_much(log)):
        with pytest.raises(LogUnavailable) as refusal:
            ask()
        assert refusal.value.code == "log.closed"


def test_a_folder_that_is_not_there_is_no_place_for_a_log(tmp_path: Path, vault: Vault) -> None:
    with pytest.raises(LogUnavailable):
        open_log(tmp_path / "nowhere" / "log.db", vault)


def test_a_file_that_is_no_log_is_left_alone(tmp_path: Path, vault: Vault) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear Sir or Madam, " * 300)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE stored_events (something TEXT)")
    for path in (text, other, tmp_path / "keys.db"):
        before = path.read_bytes()
        with pytest.raises(ForeignLog) as refusal:
            open_log(path, vault)
        assert refusal.value.code == "log.foreign"
        assert path.read_bytes() == before


def test_a_log_that_cannot_be_read_in_bulk_says_so(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable) as refusal:
        list(bulk.from_sqlite(str(tmp_path / "nowhere" / "log.db"), 0, 10))
    assert refusal.value.code == "log.unavailable"
    with pytest.raises(LogUnavailable):
        list(bulk.from_postgres("postgresql://127.0.0.1:1/nothing", 0, 10))


def test_a_log_of_a_newer_daybook_is_left_alone(tmp_path: Path, vault: Vault) -> None:
    open_log(tmp_path / "log.db", vault).close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ForeignLog) as refusal:
        open_log(tmp_path / "log.db", vault)
    assert refusal.value.code == "log.newer"


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(log: SQLiteLog) -> None:
    datastore = cast("sqlite.Datastore", log._datastore)
    with datastore.get_connection(commit=True) as connection, connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert cursor.execute("PRAGMA synchronous").fetchone()[0] == 2


def commits_in(write_ahead_log: Path) -> int:
    """Transactions in a SQLite write-ahead log: frames whose header says how large the database is afterwards."""
    raw = write_ahead_log.read_bytes()
    page = int.from_bytes(raw[8:12], "big")
    salt = raw[16:24]
    frames = [raw[start : start + 24] for start in range(32, len(raw), page + 24)]
    return sum(1 for frame in frames if frame[8:16] == salt and any(frame[4:8]))


def test_a_group_of_commands_is_one_commit_with_one_sync(log: SQLiteLog, tmp_path: Path) -> None:
    wal = tmp_path / "log.db-wal"
    before = commits_in(wal)
    with log.transaction() as tx:
        for _ in range(4):
            tx.append([commit(contact(uuid7())) for _ in range(50)])
    assert commits_in(wal) == before + 1


def test_a_position_is_never_used_twice(log: SQLiteLog) -> None:
    with log.transaction() as tx:
        tx.append([stream_of(3)])
    datastore = cast("sqlite.Datastore", log._datastore)
    with datastore.transaction(commit=True) as cursor:
        cursor.execute("DELETE FROM stored_events WHERE position = 3")
    with log.transaction() as tx:
        assert list(tx.append([stream_of(1)])) == [4]


@pytest.fixture
def postgres_log(postgres_url: str, vault: Vault) -> Iterator[PostgresLog]:
    with closing(PostgresLog(postgres_url, vault)) as opened:
        yield opened


def test_the_librarys_insert_function_which_takes_no_lock_is_off_and_not_even_there(postgres_log: PostgresLog, postgres_url: str) -> None:
    assert cast("postgres.Datastore", postgres_log._datastore).enable_db_functions is False
    with psycopg.connect(postgres_url) as connection:
        functions = connection.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'daybook'::regnamespace").fetchall()
    assert functions == []


def test_the_environment_cannot_turn_the_insert_function_on(postgres_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENABLE_DB_FUNCTIONS", "POSTGRES_ENABLE_DB_FUNCTIONS"):
        monkeypatch.setenv(name, "true")
    with closing(PostgresLog(postgres_url, vault)) as log:
        assert cast("postgres.Datastore", log._datastore).enable_db_functions is False


def test_a_group_of_commands_is_one_transaction(postgres_log: PostgresLog, postgres_url: str) -> None:
    with postgres_log.transaction() as tx:
        for _ in range(4):
            tx.append([stream_of(2) for _ in range(10)])
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(DISTINCT xmin::text), count(*) FROM daybook.stored_events").fetchone() == (1, 80)


def test_a_lost_connection_is_told_and_survived(postgres_log: PostgresLog, postgres_url: str) -> None:
    def lose_it() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other, postgres_log.transaction() as tx:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            tx.append([stream_of(1)])

    with pytest.raises(LogUnavailable):
        lose_it()
    with postgres_log.transaction() as tx:
        assert tx.head == 0
        tx.append([stream_of(1)])
    assert postgres_log.head() == 1


def test_a_writer_that_is_not_heard_of_any_more_is_not_waited_for(
    postgres_log: PostgresLog, postgres_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "SILENT_SECONDS", 1)

    def fall_silent(other: PostgresLog) -> None:
        with postgres_log.transaction() as tx:
            tx.append([stream_of(3)])
            with other.transaction() as waiting:
                waiting.append([stream_of(1)])

    with closing(PostgresLog(postgres_url, vault)) as other:
        with pytest.raises(LogUnavailable):
            fall_silent(other)
        assert other.head() == 1
    with postgres_log.transaction() as tx:
        tx.append([stream_of(1)])
    assert postgres_log.head() == 2


def test_a_database_that_is_not_there_is_said_to_be_unavailable(vault: Vault) -> None:
    with pytest.raises(LogUnavailable) as refusal:
        open_log("postgresql://127.0.0.1:1/nothing?connect_timeout=2", vault)
    assert refusal.value.code == "log.unavailable"


def test_a_schema_of_the_same_name_that_is_no_log_is_left_alone(postgres_url: str, vault: Vault) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE SCHEMA daybook")
    with pytest.raises(ForeignLog) as refusal:
        open_log(postgres_url, vault)
    assert refusal.value.code == "log.foreign"


def test_a_newer_log_in_postgresql_is_left_alone(postgres_url: str, vault: Vault) -> None:
    open_log(postgres_url, vault).close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE daybook.log SET schema_version = 99")
    with pytest.raises(ForeignLog) as refusal:
        open_log(postgres_url, vault)
    assert refusal.value.code == "log.newer"


def test_a_log_is_opened_again_as_it_was(postgres_url: str, vault: Vault) -> None:
    with closing(open_log(postgres_url, vault)) as log, log.transaction() as tx:
        tx.append([stream_of(2)])
    with closing(open_log(postgres_url, vault)) as log:
        assert log.head() == 2
