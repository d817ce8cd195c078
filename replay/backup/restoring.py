"""Putting backups back: into a new folder, or an empty database, with nobody's key who was erased since."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bus.copying import Tools, counted, counted_there, has_schema, is_address, sync
from bus.erasures import Erasure, ErasureList
from bus.keystore import PostgresKeyStore, SQLiteKeyStore, open_vault
from bus.vault import KeyStore, master_key_of
from bus.webhooks.tables import pause_all
from replay.backup.errors import BackupDamaged, BackupRefused
from replay.backup.making import (
    AUDIT_KEY,
    ERASURES,
    KEYS_DUMP,
    KEYS_FILE,
    LOG_DUMP,
    LOG_FILE,
    SETTLED,
    TREE,
    WEBHOOKS_DUMP,
    WEBHOOKS_FILE,
    Tell,
)
from replay.backup.manifest import PARTIAL, Manifest
from replay.backup.verifying import differences, sound

MASTER_KEY: Final = "master.key"
RESTORED: Final = "put back from a backup"
_MAY_BE_THERE: Final = frozenset({ERASURES})
"""What may lie in the folder before: the list of erasures never goes back to an older one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is put back from where."""

    log: Path
    keys: Path | None
    master_key: str | None
    """The key that wraps people's keys, where it is known here."""
    keep_master_key: bool = False
    """Whether that key is to be written into the folder."""
    erasures: Sequence[Path] = ()
    """Lists of erasures that are newer than the one beside the keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where it goes: a folder, and addresses where log or keys lie in PostgreSQL."""

    folder: Path
    log_url: str | None
    keys_url: str | None
    tools: Tools


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back."""

    log: Manifest
    keys: Manifest | None
    erased: int
    """Persons on the lists of erasures."""


def restore(sources: Sources, destination: Destination, tell: Tell) -> Restored:
    """Verify the backups and put them back; the folder appears when all is there and holds.

    Raises BackupRefused, BackupDamaged, ToolFailed, WrongMasterKey or LogUnavailable.
    """
    log = sound(sources.log, "log", destination.tools, tell)
    keys = sound(sources.keys, "keys", destination.tools, tell) if sources.keys else None
    _check(log, keys, destination)
    erasures = _erasures(sources, destination)
    draft = destination.folder.with_name(f".{destination.folder.name}.{os.urandom(6).hex()}{PARTIAL}")
    try:
        draft.mkdir(mode=0o700, parents=True)
        if erasures:
            ErasureList(draft / ERASURES).add(erasures)
        if keys is not None:
            # Before the log, for a wrong master key is found here.
            _put_keys(sources, keys, draft, destination, tell)
        _put_log(sources.log, log, draft, destination, tell)
        sync(draft)
        _switch(draft, destination.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Restored(log, keys, len(erasures))


def _check(log: Manifest, keys: Manifest | None, destination: Destination) -> None:
    folder = destination.folder
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - _MAY_BE_THERE):
        raise BackupRefused("restore.target_not_empty", f"{folder} is not empty; restore into a folder that is not there yet")
    for of, told, url, schema in (("log", log, destination.log_url, "daybook"), ("keys", keys, destination.keys_url, "daybook_keys")):
        if told is None:
            continue
        if (told.store == "postgresql") != (url is not None):
            kind, setting = ("PostgreSQL", "set") if told.store == "postgresql" else ("a file", "do not set")
            raise BackupRefused("restore.wrong_store", f"the {of} was backed up from {kind}: {setting} DAYBOOK_{of.upper()}_URL")
        if url is not None and has_schema(url, schema):
            raise BackupRefused("restore.target_not_empty", f"the database has a schema {schema} already; give an empty database")
    if keys is not None and keys.position < log.position:
        message = (
            f"the keys are of position {keys.position}, older than the log's {log.position}: persons who came since would be unreadable"
        )
        raise BackupRefused("restore.keys_older", message)


def _erasures(sources: Sources, destination: Destination) -> list[Erasure]:
    """Whoever is on any of the lists."""
    lists = [*([sources.keys / ERASURES] if sources.keys else []), destination.folder / ERASURES, *sources.erasures]
    found = [erasure for path in lists for erasure in ErasureList(path).read()]
    return list({erasure.person: erasure for erasure in found}.values())


def _put_log(source: Path, told: Manifest, draft: Path, destination: Destination, tell: Tell) -> None:
    for name in (TREE, SETTLED):
        if told.file(name):
            _copy(source / name, draft)
    if destination.log_url is None:
        tell("putting back the log", 0, 0)
        place = _copy(source / LOG_FILE, draft)
        position, counts = counted(place)
    else:
        tell("putting back the log", 0, 0)
        destination.tools.restore(source / LOG_DUMP, destination.log_url)
        place = destination.log_url
        position, counts = counted_there(destination.log_url)
    _put_webhooks(source, told, draft, destination)
    if found := differences(str(place), position, counts, told, tell, LOG_FILE):
        message = f"what was put back is not what was backed up: {found[0]['message']}"
        raise BackupDamaged("backup.damaged", message, tuple(found))


def _put_webhooks(source: Path, told: Manifest, draft: Path, destination: Destination) -> None:
    """Put back who is sent which events, paused: what was put back may be a rehearsal, and receivers would not know."""
    if told.file(WEBHOOKS_FILE):
        pause_all(_copy(source / WEBHOOKS_FILE, draft), RESTORED)
    elif told.file(WEBHOOKS_DUMP) and destination.log_url is not None:
        destination.tools.restore(source / WEBHOOKS_DUMP, destination.log_url)
        pause_all(destination.log_url, RESTORED)


def _put_keys(sources: Sources, told: Manifest, draft: Path, destination: Destination, tell: Tell) -> None:
    if sources.keys is None:
        return
    tell("putting back the keys", 0, 0)
    if destination.keys_url is None:
        place = str(_copy(sources.keys / KEYS_FILE, draft))
    else:
        destination.tools.restore(sources.keys / KEYS_DUMP, destination.keys_url)
        place = destination.keys_url
    if told.file(AUDIT_KEY):
        _copy(sources.keys / AUDIT_KEY, draft)
    _erase_again(place, draft / ERASURES)
    if sources.master_key is not None:
        # It fails unless this is the key that they are wrapped by.
        open_vault(place, master_key_of(sources.master_key)).close()
        if sources.keep_master_key:
            _write_secret(draft / MASTER_KEY, sources.master_key.strip() + "\n")


def _erase_again(place: str, path: Path) -> None:
    """Destroy the keys of whoever is on the list, which the copy may have brought back."""
    persons = [erasure.person.bytes for erasure in ErasureList(path).read()]
    if not persons:
        return
    store: Callable[[str], KeyStore] = PostgresKeyStore if is_address(place) else SQLiteKeyStore
    with closing(store(place)) as keys:
        keys.delete(persons)


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, folder: Path) -> Path:
    target = folder / source.name
    shutil.copy2(source, target)
    target.chmod(0o600)
    sync(target)
    return target


def _switch(draft: Path, folder: Path) -> None:
    """Let what was put back stand in the folder's place; a list of erasures that was there is in it already."""
    before = draft.with_suffix(".before")
    if folder.exists():
        folder.rename(before)
    draft.rename(folder)
    sync(folder.parent)
    shutil.rmtree(before, ignore_errors=True)
