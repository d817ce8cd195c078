"""An erasure is done when its proof is durable and the key is gone, or is finished at the next start; nothing in between is acknowledged."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from bus.erasures import Erasure, ErasureList
from bus.errors import LogUnavailable
from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.vault import Vault, master_key
from domain.commit import Claim
from tests.contracts.commits import commit, contact, erased
from tests.contracts.conftest import Storage


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "erasures.jsonl"


@pytest.fixture
def vault(storage: Storage, listed: Path) -> Iterator[Vault]:
    with closing(open_vault(storage.keys_place, master_key(storage.master), erasures=ErasureList(listed))) as opened:
        yield opened


def known(log: Log) -> UUID:
    """A contact with a key."""
    contact_id = uuid7()
    with log.transaction() as tx:
        tx.append([commit(contact(contact_id))])
    return contact_id


def erase(log: Log, *persons: UUID) -> None:
    with log.transaction() as tx:
        tx.append([commit(erased(person), after=1) for person in persons])


def names(storage: Storage, log: Log) -> list[str | None]:
    """What somebody with the same keys reads."""
    return storage.vault().decrypt_all([event.data["name"] for event in log.read(0, 100) if event.type == "contact.added"])


def test_the_key_is_gone_when_the_erasure_is_acknowledged(storage: Storage, vault: Vault, listed: Path) -> None:
    log = storage.open(vault)
    one, other, third = (known(log) for _ in range(3))
    erase(log, one, third)
    assert names(storage, log) == [None, "Ada Lovelace", None]
    assert [erasure.person for erasure in ErasureList(listed).read()] == [one, third] == log.erased()
    assert vault.unerased([one, other, third]) == [other]


@pytest.mark.parametrize("moment", ["committed", "listed", "deleted", "never"])
def test_whenever_the_process_is_killed_the_next_start_finishes(storage: Storage, listed: Path, root: Path, moment: str) -> None:
    with closing(open_log(storage.log_place, storage.vault())) as log:
        person = known(log)
    program = [sys.executable, "-m", "tests.contracts.eraser", storage.log_place, storage.keys_place, str(storage.master), str(listed)]
    ended = subprocess.run([*program, str(person), moment], cwd=root, capture_output=True, text=True, check=False)
    assert ended.stdout == ("done\n" if moment == "never" else ""), ended.stderr
    with (
        closing(open_vault(storage.keys_place, master_key(storage.master), erasures=ErasureList(listed))) as vault,
        closing(open_log(storage.log_place, vault)) as log,
    ):
        assert names(storage, log) == [None]
        assert [erasure.person for erasure in ErasureList(listed).read()] == [person]
        assert log.head() == 2


def test_another_process_finishes_what_a_killed_one_left(storage: Storage, vault: Vault, listed: Path, root: Path) -> None:
    log = storage.open(vault)
    person = known(log)
    program = [sys.executable, "-m", "tests.contracts.eraser", storage.log_place, storage.keys_place, str(storage.master), str(listed)]
    subprocess.run([*program, str(person), "committed"], cwd=root, capture_output=True, check=False)
    assert names(storage, log) == ["Ada Lovelace"]
    with log.transaction():
        pass
    assert names(storage, log) == [None]


def test_while_the_key_cannot_be_destroyed_nobody_is_told_that_it_is(storage: Storage, vault: Vault, listed: Path) -> None:
    log = storage.open(vault)
    person = known(log)
    listed.mkdir()
    with pytest.raises(LogUnavailable) as refusal:
        erase(log, person)
    assert refusal.value.code == "erasures.unavailable"
    with pytest.raises(LogUnavailable), log.transaction():
        pass
    assert names(storage, log) == ["Ada Lovelace"]
    listed.rmdir()
    with log.transaction():
        pass
    assert names(storage, log) == [None]


def test_keys_that_come_back_with_a_restored_copy_are_deleted_again(storage: Storage, listed: Path) -> None:
    """The list alone does it, for a log that is older than the erasure."""
    vault = storage.vault()
    log = storage.open(vault)
    person = known(log)
    ErasureList(listed).add([told(person)])
    with closing(open_vault(storage.keys_place, master_key(storage.master), erasures=ErasureList(listed))) as again:
        assert again.unerased([person]) == []
    assert names(storage, log) == [None]


def test_a_log_that_knows_of_an_erasure_deletes_a_key_that_came_back(tmp_path: Path) -> None:
    """The log alone does it, where the list was lost together with the newer keys."""
    storage = Storage(str(tmp_path / "log.db"), str(tmp_path / "keys.db"), tmp_path / "master.key")
    with storage.stack:
        with closing(storage.vault()) as vault, closing(open_log(storage.log_place, vault)) as log:
            person = known(log)
        copyfile(storage.keys_place, tmp_path / "older.db")
        with closing(storage.vault()) as vault, closing(open_log(storage.log_place, vault)) as log:
            erase(log, person)
        copyfile(tmp_path / "older.db", storage.keys_place)
        with closing(storage.vault()) as vault, closing(open_log(storage.log_place, vault)) as log:
            assert names(storage, log) == [None]


def told(person: UUID) -> Erasure:
    at = "2026-03-01T09:30:00.000000Z"
    return Erasure(person=person, type="contact.erased", event_id=str(uuid7()), occurred_at=at, recorded_at=at, data={"reason": None})


def test_the_list_survives_a_line_that_was_not_finished(listed: Path) -> None:
    erasures = ErasureList(listed)
    one, other = told(uuid7()), told(uuid7())
    erasures.add([one])
    listed.write_bytes(listed.read_bytes() + b'{"person":"0193')
    assert erasures.read() == [one]
    erasures.add([other, one])
    assert erasures.read() == [one, other]
    assert listed.stat().st_mode & 0o777 == 0o600


def claims(storage: Storage) -> set[tuple[str, str]]:
    """The claims' kinds and keys as they are stored."""
    if storage.log_place.endswith(".db"):
        with closing(sqlite3.connect(storage.log_place)) as connection:
            return set(connection.execute("SELECT kind, key FROM claims"))
    with psycopg.connect(storage.log_place) as connection:
        return {(str(kind), str(key)) for kind, key in connection.execute("SELECT kind, key FROM daybook.claims")}


def test_what_is_claimed_cannot_be_read_or_guessed_from_the_table(storage: Storage) -> None:
    log, holder = storage.open(), uuid7()
    with log.transaction() as tx:
        tx.append([commit(contact(holder), claims=(Claim("email", "ada@example.org", holder), Claim("login", "ada@example.org", holder)))])
        assert tx.claimed([("email", "ada@example.org"), ("email", "bob@example.org")]) == {("email", "ada@example.org"): holder}
    stored = claims(storage)
    assert {kind for kind, _ in stored} == {"email", "login"}
    assert len({key for _, key in stored}) == 2
    assert not any("ada" in key for _, key in stored)


def test_a_log_that_was_begun_with_plain_claims_hides_them_and_keeps_to_them(storage: Storage) -> None:
    vault, holder = storage.vault(), uuid7()
    with closing(open_log(storage.log_place, vault)) as log, log.transaction() as tx:
        tx.append([commit(contact(holder))])
    plain = ("external.contact", "3:crm:42")
    if storage.log_place.endswith(".db"):
        with closing(sqlite3.connect(storage.log_place)) as older, older:
            older.execute("INSERT INTO claims VALUES (?, ?, ?)", (*plain, str(holder)))
            older.execute("PRAGMA user_version = 1")
    else:
        with psycopg.connect(storage.log_place) as older:
            older.execute("INSERT INTO daybook.claims VALUES (%s, %s, %s)", (*plain, holder))
            older.execute("UPDATE daybook.log SET schema_version = 1")
    for _ in range(2):
        with closing(open_log(storage.log_place, vault)) as log, log.transaction() as tx:
            assert tx.claimed([plain]) == {plain: holder}
        assert not claims(storage) & {plain}


def test_an_erasure_during_a_dump_of_the_keys_is_owed_until_the_dump_is_over(postgres_url: str, tmp_path: Path) -> None:
    storage = Storage(postgres_url, postgres_url, tmp_path / "master.key")
    with storage.stack:
        log = storage.open()
        person = known(log)
        with psycopg.connect(postgres_url) as dump:
            dump.execute("SELECT count(*) FROM daybook_keys.persons")
            with pytest.raises(LogUnavailable) as refusal:
                erase(log, person)
            assert refusal.value.code == "keys.unavailable"
            assert names(storage, log) == [None]
        with log.transaction():
            pass
        assert log.erased() == [person]
