"""Persons' keys: made once, durable before what they encrypt, wrapped, and gone for good when a person is forgotten."""

import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from uuid_utils.compat import uuid7

from bus import vault as vault_module
from bus.cipher import Token, seal
from bus.errors import ForeignLog, LogUnavailable
from bus.keystore import SQLiteKeyStore, open_vault
from bus.vault import Vault, WrongMasterKey, master_key, master_key_of
from domain.errors import CorruptHistory
from tests.contracts.commits import commit, contact
from tests.contracts.conftest import Storage

EVENT = uuid4().bytes


def sealed(vault: Vault, person: UUID, text: str = "Ada") -> str:
    return seal(vault.keys({person.bytes})[person.bytes], "name", text, person=person.bytes, event=EVENT, nonce=bytes(12))


def test_a_text_is_readable_through_any_vault_on_the_same_keys(storage: Storage) -> None:
    token = sealed(storage.vault(), uuid4(), "Ødegård")
    assert storage.vault().decrypt(token) == "Ødegård"


def test_a_person_has_one_key_however_many_ask_at_once(storage: Storage) -> None:
    persons = {uuid4().bytes for _ in range(200)}
    vaults = [storage.vault() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda number: vaults[number % 4].keys(persons), range(16)))
    for person in persons:
        token = seal(given[0][person], "name", "Ada", person=person, event=EVENT, nonce=bytes(12))
        assert {seal(keys[person], "name", "Ada", person=person, event=EVENT, nonce=bytes(12)) for keys in given} == {token}


def test_a_forgotten_persons_texts_are_unreadable_everywhere(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_module, "FORGOTTEN_ELSEWHERE_WITHIN", 0.0)
    ours, theirs = storage.vault(), storage.vault()
    forgotten, known = uuid4(), uuid4()
    tokens = [sealed(ours, forgotten), sealed(ours, known)]
    assert ours.decrypt_all(tokens) == theirs.decrypt_all(tokens) == ["Ada", "Ada"]
    ours.forget(forgotten)
    for vault in (ours, theirs, storage.vault()):
        assert vault.decrypt_all(tokens) == [None, "Ada"]
        assert vault.decrypt(tokens[0]) is None


def test_what_is_written_about_a_forgotten_person_later_is_unreadable_too(storage: Storage) -> None:
    vault, person = storage.vault(), uuid4()
    vault.forget(person)
    assert vault.decrypt(sealed(vault, person)) is None
    assert storage.vault().decrypt(sealed(vault, person)) is None


def test_a_person_who_never_had_a_key_has_no_readable_texts(storage: Storage) -> None:
    person = uuid4()
    token = seal(AESGCM(bytes(32)), "name", "Ada", person=person.bytes, event=EVENT, nonce=bytes(12))
    assert storage.vault().decrypt(token) is None


def test_nothing_stays_nothing_and_order_is_kept(storage: Storage) -> None:
    vault = storage.vault()
    tokens = [sealed(vault, uuid4(), str(number)) for number in range(50)]
    assert storage.vault().decrypt_all([None, *tokens, None]) == [None, *map(str, range(50)), None]


def test_an_altered_token_is_reported(storage: Storage) -> None:
    vault = storage.vault()
    token = sealed(vault, uuid4())
    with pytest.raises(CorruptHistory):
        vault.decrypt(token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"))
    with pytest.raises(CorruptHistory):
        vault.decrypt("Ada")


def test_keys_that_no_longer_fit_in_memory_are_read_again(storage: Storage) -> None:
    store_vault = storage.vault()
    tokens = [sealed(store_vault, uuid4(), str(number)) for number in range(20)]
    if storage.keys_place.endswith(".db"):
        with closing(Vault(SQLiteKeyStore(storage.keys_place), master_key(storage.master), most_cached=3)) as small:
            assert small.decrypt_all(tokens) == [small.decrypt(token) for token in tokens] == [*map(str, range(20))]
            assert len(small.keys({uuid4().bytes for _ in range(10)})) == 10


def test_another_master_key_is_refused_at_once(storage: Storage) -> None:
    storage.vault()
    with pytest.raises(WrongMasterKey) as refusal:
        open_vault(storage.keys_place, bytes(32))
    assert refusal.value.code == "keys.wrong_master_key"


def test_secrets_are_the_same_as_long_as_the_keys_live_and_differ_by_purpose(storage: Storage) -> None:
    first, second = storage.vault(), storage.vault()
    assert first.secret("fingerprints") == second.secret("fingerprints")
    assert first.secret("fingerprints") != first.secret("claims")


def test_keys_are_durable_before_the_events_that_use_them(storage: Storage) -> None:
    """A transaction that is never committed leaves its keys behind; the other way round, events would be unreadable."""
    vault, contact_id = storage.vault(), uuid7()
    log = storage.open(vault)
    tokens: list[str] = []

    def give_up() -> None:
        with log.transaction() as tx:
            tx.append([commit(contact(contact_id))])
            tokens.append(_name(tx.load([contact_id])[contact_id]))
            assert storage.vault().decrypt(tokens[0]) == "Ada Lovelace"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    assert log.head() == 0
    assert storage.vault().decrypt(tokens[0]) == "Ada Lovelace"


def _name(history: Sequence[tuple[object, object]]) -> str:
    name = getattr(history[0][0], "name")  # noqa: B009 - events of one stream differ in their fields
    assert isinstance(name, Token)
    return name


def test_events_of_a_forgotten_person_are_read_with_texts_that_stay_closed(storage: Storage) -> None:
    vault, contact_id, other = storage.vault(), uuid7(), uuid7()
    log = storage.open(vault)
    with log.transaction() as tx:
        tx.append([commit(contact(contact_id)), commit(contact(other))])
    vault.forget(contact_id)
    names = [event.data["name"] for event in log.read(0, 10)]
    assert vault.decrypt_all(names) == [None, "Ada Lovelace"]
    with log.transaction() as tx:
        assert _name(tx.load([contact_id])[contact_id]) == names[0]


def test_the_master_keys_file_is_its_owners_alone_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) == 32
    assert master_key(path) == key == master_key_of(path.read_text())


def test_a_master_key_that_many_make_at_once_is_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: master_key(tmp_path / "master.key"), range(64)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31])
def test_what_is_no_master_key_is_refused(text: str) -> None:
    with pytest.raises(WrongMasterKey) as refusal:
        master_key_of(text)
    assert refusal.value.code == "keys.malformed"


def test_a_deleted_key_is_not_left_in_the_file(tmp_path: Path) -> None:
    store, person = SQLiteKeyStore(str(tmp_path / "keys.db")), uuid4().bytes
    wrapped = bytes(range(100, 160))
    with closing(store):
        store.add({person: wrapped})
        assert any(wrapped in path.read_bytes() for path in tmp_path.iterdir())
        store.delete([person])
        assert not any(wrapped in path.read_bytes() for path in tmp_path.iterdir())


def test_neither_keys_nor_texts_lie_readable_in_any_file(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "log.db"), str(tmp_path / "keys.db"), tmp_path / "master.key")
    with storage.stack:
        vault = storage.vault()
        with storage.open(vault).transaction() as tx:
            tx.append([commit(contact(uuid7(), name="Grace Hopper", email="grace@example.org"))])
        contents = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"Grace" not in contents
        assert b"grace@" not in contents


def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    path.write_text("these are no keys, though there is enough text to look at" * 40)
    with pytest.raises(ForeignLog):
        open_vault(path, bytes(32))


def test_keys_that_cannot_be_reached_say_so(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable) as refusal:
        open_vault(tmp_path / "no such folder" / "keys.db", bytes(32))
    assert refusal.value.code == "keys.unavailable"
