"""Making backups: of the log, and apart from it of the keys, while others go on reading and writing."""

import shutil
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from bus.copying import Tools, copy_file, counted, has_schema, is_address, keys_in, sync
from bus.webhooks.tables import SCHEMA
from domain.errors import NotFound
from replay.audit.hashing import compute
from replay.audit.merkle import TILE
from replay.audit.tree import Tree
from replay.backup import manifest
from replay.backup.errors import BackupRefused
from replay.backup.manifest import Manifest, Store

LOG_FILE: Final = "log.db"
LOG_DUMP: Final = "log.pgdump"
KEYS_FILE: Final = "keys.db"
KEYS_DUMP: Final = "keys.pgdump"
TREE: Final = "audit.db"
SETTLED: Final = "settled.json"
WEBHOOKS_FILE: Final = "webhooks.db"
WEBHOOKS_DUMP: Final = "webhooks.pgdump"
ERASURES: Final = "erasures.jsonl"
AUDIT_KEY: Final = "audit.key"

Tell = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a Daybook lies: its folder, and the addresses of what lies in PostgreSQL."""

    folder: Path
    log: str
    keys: str
    tools: Tools


@dataclass(frozen=True, slots=True)
class Made:
    """What was backed up, and whether the log agrees with what was hashed when it was written (None: not hashed so far)."""

    log: Manifest
    keys: Manifest | None
    agrees: bool | None


def back_up(place: Place, target: Path, keys: Path | None, tell: Tell) -> Made:
    """Make a backup of the log at `target` and one of the keys at `keys`, each whole or not at all.

    The keys are copied after the log, so that whoever the log names has their key in the copy, unless they were erased.
    Raises BackupRefused, ToolFailed, NotFound or LogUnavailable.
    """
    _check(place, target, keys)
    backup_id = str(uuid4())
    with manifest.drafting(target) as draft:
        log, agrees = _log(place, draft, backup_id, tell)
        if keys is None:
            return Made(log, None, agrees)
        with manifest.drafting(keys) as beside:
            return Made(log, _keys(place, beside, log, tell), agrees)


def _check(place: Place, target: Path, keys: Path | None) -> None:
    if not is_address(place.log) and not Path(place.log).exists():
        raise NotFound("log.unknown", f"there is no log in {place.folder}")
    if keys is None:
        return
    one, other = target.resolve(), keys.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise BackupRefused("backup.keys_beside_log", "the keys are backed up apart from the log: name another folder for them")


def _log(place: Place, draft: Path, backup_id: str, tell: Tell) -> tuple[Manifest, bool | None]:
    tree = place.folder / TREE
    if tree.exists():
        # Before the log, so that no more events are hashed in it than there are in the copy.
        copy_file(tree, draft / TREE)
    in_postgres = is_address(place.log)
    # Before the log too, so that no webhook has come further than the copy.
    if in_postgres and has_schema(place.log, SCHEMA):
        place.tools.dump_webhooks(place.log, draft / WEBHOOKS_DUMP)
    elif not in_postgres and (webhooks := place.folder / WEBHOOKS_FILE).exists():
        copy_file(webhooks, draft / WEBHOOKS_FILE)
    if in_postgres:
        tell("copying the log", 0, 0)
        position, counts = place.tools.dump_log(place.log, draft / LOG_DUMP)
    else:
        copy_file(Path(place.log), draft / LOG_FILE, lambda done, total: tell("copying the log", done, total))
        position, counts = counted(draft / LOG_FILE)
    _copy_plain(place.folder / SETTLED, draft)
    log = place.log if in_postgres else str(draft / LOG_FILE)
    root, agrees = _hashed(log, position, draft / TREE, tell)
    store: Store = "postgresql" if in_postgres else "file"
    return _written(draft, of="log", store=store, backup_id=backup_id, position=position, root=root, counts=counts), agrees


def _keys(place: Place, draft: Path, log: Manifest, tell: Tell) -> Manifest:
    tell("copying the keys", 0, 0)
    store: Store = "postgresql" if is_address(place.keys) else "file"
    if store == "postgresql":
        place.tools.dump_keys(place.keys, draft / KEYS_DUMP)
        counts: dict[str, int] = {}
    else:
        copy_file(Path(place.keys), draft / KEYS_FILE)
        counts = {"persons": keys_in(draft / KEYS_FILE)}
    for name in (ERASURES, AUDIT_KEY):
        _copy_plain(place.folder / name, draft)
    return _written(draft, of="keys", store=store, backup_id=log.backup_id, position=log.position, root=log.root, counts=counts)


def _written(draft: Path, *, of: Literal["log", "keys"], **told: Any) -> Manifest:
    written = Manifest(of=of, made_at=datetime.now(UTC).isoformat(timespec="seconds"), files=manifest.describe(draft), **told)
    manifest.save(draft, written)
    return written


def _copy_plain(source: Path, folder: Path) -> None:
    """Copy a small file, where there is one; it is as private as it was."""
    if source.exists():
        shutil.copy2(source, folder / source.name)
        sync(folder / source.name)


def root_of(log: str, size: int, tell: Tell | None = None) -> str:
    """The Merkle root over the first events of a log, hashed from what is stored, in base64. Raises LogUnavailable."""
    return _roots(log, size, {size}, tell)[size]


def _hashed(log: str, position: int, tree_path: Path, tell: Tell) -> tuple[str, bool | None]:
    """The root at a position, and whether the log has the root that its tree has."""
    if not tree_path.exists():
        return root_of(log, position, tell), None
    with closing(Tree(tree_path, read_only=True)) as tree:
        size = tree.size
        roots = _roots(log, position, {position, min(size, position)}, tell)
        return roots[position], (size <= position and roots[size] == b64encode(tree.root(size)).decode()) if size else None


def _roots(log: str, size: int, ends: set[int], tell: Tell | None) -> dict[int, str]:
    done = 0

    def hashed(_number: int, _hashes: bytes) -> None:
        nonlocal done
        done += TILE
        if tell is not None:
            tell("hashing the events", min(done, size), size)

    computed = compute(log, size, ends, hashed)
    return {end: b64encode(computed.root(end)).decode() for end in ends}
