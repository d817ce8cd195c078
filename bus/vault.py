"""The keys of the persons whom events are about: made when first needed, wrapped by a master key, and gone when a person is forgotten."""

import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Final, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bus.cipher import NONCE_BYTES, parse, unseal
from bus.erasures import Erasure, ErasureList
from bus.secret_file import write_once
from domain.errors import DaybookError

KEY_BYTES: Final = 32
MOST_CACHED: Final = 50_000
"""Keys held ready for use; about a kilobyte each."""
FORGOTTEN_ELSEWHERE_WITHIN: Final = 1.0
"""Seconds after which a key that another process deleted is no longer used here."""


class WrongMasterKey(DaybookError):
    """The master key (`keys.wrong_master_key`) is not the one that the stored keys were wrapped with, or is no key (`keys.malformed`)."""


class KeyStore(Protocol):
    """Where wrapped keys lie, apart from the log and its backups; None stands for a key that was deleted."""

    def root(self, proposed: bytes) -> bytes:
        """The store's own wrapped secret; `proposed` becomes it in a new store."""
        ...

    def find(self, persons: Sequence[bytes]) -> Mapping[bytes, bytes | None]:
        """The wrapped keys of those persons that have or had one."""
        ...

    def add(self, keys: Mapping[bytes, bytes]) -> Mapping[bytes, bytes | None]:
        """Store keys durably for persons that have none yet; what holds for each person now, which may be another's key."""
        ...

    def delete(self, persons: Sequence[bytes]) -> None:
        """Overwrite the persons' keys wherever they lie, and keep in mind that there shall be none again."""
        ...

    def deletions(self) -> int:
        """A number that grows with every deletion."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def master_key(path: Path) -> bytes:
    """The key in the file at `path`; made with fresh randomness, readable by its owner only, when there is no such file."""
    if not path.exists():
        write_once(path, os.urandom(KEY_BYTES).hex() + "\n")
    return master_key_of(path.read_text())


def master_key_of(text: str) -> bytes:
    """The key written as 64 hexadecimal digits. Raises WrongMasterKey `keys.malformed`."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongMasterKey("keys.malformed", f"a master key is {2 * KEY_BYTES} hexadecimal digits")
    return key


class Vault:
    """Hands out keys and decrypts tokens; for any number of threads.

    Whoever is on the list of `erasures` has no key from then on. Raises WrongMasterKey when `master` is not the key that
    the store was begun with.
    """

    def __init__(self, store: KeyStore, master: bytes, *, erasures: ErasureList | None = None, most_cached: int = MOST_CACHED) -> None:
        self._store = store
        self.erasures = erasures
        self._master = AESGCM(master)
        self._lock = RLock()
        self._cache: OrderedDict[bytes, AESGCM | None] = OrderedDict()
        self._most_cached = most_cached
        self._root = self._unwrap(b"root", store.root(self._wrap(b"root", os.urandom(KEY_BYTES))))
        self._deletions = store.deletions()
        self._checked = time.monotonic()
        self._apply(erasures)

    def _apply(self, erasures: ErasureList | None) -> None:
        """Delete what came back with a restored copy of the keys."""
        persons = [erasure.person.bytes for erasure in erasures.read()] if erasures is not None else []
        gone = self._gone(persons)
        if back := [person for person in persons if person not in gone]:
            self._delete(back)

    def _gone(self, persons: Sequence[bytes]) -> set[bytes]:
        return {person for person, key in self._store.find(persons).items() if key is None}

    def keys(self, persons: set[bytes]) -> Mapping[bytes, AESGCM]:
        """A key for each person (16 bytes), durable by the time of return.

        What is written about a forgotten person from then on is encrypted under a key that nobody keeps.
        """
        with self._lock:
            found = self._known(persons)
            if missing := [person for person in persons if person not in found]:
                fresh = {person: self._wrap(person, os.urandom(KEY_BYTES)) for person in missing}
                found.update(self._opened(self._store.add(fresh)))
            return {person: key or AESGCM(os.urandom(KEY_BYTES)) for person, key in found.items()}

    def decrypt(self, token: str) -> str | None:
        """The text in a token; None when its person was forgotten. Raises CorruptHistory for what is no token or was altered."""
        return self.decrypt_all([token])[0]

    def decrypt_all(self, tokens: Sequence[str | None]) -> list[str | None]:
        """The texts in many tokens, with one look into the key store; None stays None."""
        sealed = [None if token is None else parse(token) for token in tokens]
        with self._lock:
            keys = self._known({each.person for each in sealed if each is not None})
        return [None if each is None or (key := keys.get(each.person)) is None else unseal(key, each) for each in sealed]

    def forget(self, person: UUID) -> None:
        """Delete a person's key: every copy of their personal fields is unreadable from now on, for ever."""
        self._delete([person.bytes])

    def erase(self, erasures: Sequence[Erasure]) -> None:
        """Put the erasures on the list, then delete the persons' keys."""
        if self.erasures is not None:
            self.erasures.add(erasures)
        self._delete([erasure.person.bytes for erasure in erasures])

    def unerased(self, persons: Sequence[UUID]) -> list[UUID]:
        """Those of the persons who have a key, might get one, or are not on the list."""
        with self._lock:
            gone = self._gone([person.bytes for person in persons])
        if self.erasures is not None:
            gone &= {erasure.person.bytes for erasure in self.erasures.read()}
        return [person for person in persons if person.bytes not in gone]

    def _delete(self, persons: Sequence[bytes]) -> None:
        with self._lock:
            for person in persons:
                self._cache.pop(person, None)
            self._store.delete(persons)

    def secret(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same as long as this key store lives; for keyed hashes of what must not be guessed."""
        return hmac.digest(self._root, purpose.encode(), hashlib.sha256)

    def close(self) -> None:
        """Forget all keys in memory and close the store."""
        with self._lock:
            self._cache.clear()
            self._store.close()

    def _known(self, persons: set[bytes]) -> dict[bytes, AESGCM | None]:
        """The keys that exist, from memory or the store; None for forgotten persons."""
        self._notice_deletions()
        found: dict[bytes, AESGCM | None] = {}
        asked: list[bytes] = []
        for person in persons:
            if person in self._cache:
                self._cache.move_to_end(person)
                found[person] = self._cache[person]
            else:
                asked.append(person)
        if asked:
            found.update(self._opened(self._store.find(asked)))
        return found

    def _notice_deletions(self) -> None:
        now = time.monotonic()
        if now - self._checked < FORGOTTEN_ELSEWHERE_WITHIN:
            return
        self._checked = now
        deletions = self._store.deletions()
        if deletions != self._deletions:
            self._deletions = deletions
            self._cache.clear()

    def _opened(self, wrapped: Mapping[bytes, bytes | None]) -> dict[bytes, AESGCM | None]:
        opened = {person: None if key is None else AESGCM(self._unwrap(person, key)) for person, key in wrapped.items()}
        self._cache.update(opened)
        while len(self._cache) > self._most_cached:
            self._cache.popitem(last=False)
        return opened

    def _wrap(self, name: bytes, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, name)

    def _unwrap(self, name: bytes, wrapped: bytes) -> bytes:
        try:
            return self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], name)
        except InvalidTag:
            message = "the keys of persons were wrapped with another master key; give the one that they were made with"
            raise WrongMasterKey("keys.wrong_master_key", message) from None
