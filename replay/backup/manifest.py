"""What a backup says of itself: of what and when it is, and the size and SHA-256 of each of its files."""

import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from bus.copying import sync
from replay.backup.errors import BackupDamaged, BackupRefused

NAME: Final = "manifest.json"
FORMAT: Final = "daybook-backup/1"
Of = Literal["log", "keys"]
Store = Literal["file", "postgresql"]
Progress = Callable[[int, int], None]
PARTIAL: Final = ".partial"
"""The end of the name of what is being made; under such a name nothing passes for a backup."""
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """One file of a backup."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A backup of the log, or of the keys; both of one run have the same `backup_id`."""

    of: Of
    store: Store
    backup_id: str
    made_at: str
    position: int
    """The last position of the log that it is a backup of."""
    root: str
    """The Merkle root at that position, in base64."""
    counts: Mapping[str, int]
    files: Sequence[File]

    def file(self, *names: str) -> str | None:
        """The first of these files that it has."""
        there = {file.name for file in self.files}
        return next((name for name in names if name in there), None)


@contextmanager
def drafting(target: Path) -> Generator[Path]:
    """A folder to put a backup into; it becomes `target` when all went well, and is removed otherwise.

    Until then it has a name that says what it is. Raises BackupRefused `backup.target_exists`.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupRefused("backup.target_exists", f"there is something at {target} already; name a folder that is not there yet")
    draft = target.with_name(f".{target.name}.{os.urandom(6).hex()}{PARTIAL}")
    try:
        draft.mkdir(mode=0o700, parents=True)
        yield draft
        for path in draft.iterdir():
            path.chmod(0o600)
        sync(draft)
        draft.rename(target)
        sync(target.parent)
    except OSError as error:
        raise BackupRefused("backup.unwritable", f"{target} could not be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def describe(folder: Path) -> list[File]:
    """All files of a folder, hashed."""
    return [File(path.name, path.stat().st_size, sha256(path)) for path in sorted(folder.iterdir()) if path.name != NAME]


def sha256(path: Path, told: Callable[[int], None] | None = None) -> str:
    """The hash of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            if told is not None:
                told(len(block))
    return digest.hexdigest()


def save(folder: Path, manifest: Manifest) -> None:
    """Write a backup's manifest, the last file of it."""
    told = {"format": FORMAT, **asdict(manifest)}
    told["sha256"] = _digest(told)
    path = folder / NAME
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sync(path)


def load(folder: Path, of: Of) -> Manifest:
    """The manifest of a backup. Raises BackupDamaged when there is none, or it is not as it was written."""
    incomplete = f"{folder} holds no whole backup. What was being made when it was interrupted ({PARTIAL}) is to be thrown away"
    if folder.name.endswith(PARTIAL):
        raise BackupDamaged("backup.incomplete", incomplete)
    try:
        told: dict[str, Any] = orjson.loads((folder / NAME).read_bytes())
        digest = told.pop("sha256")
        if told.pop("format") != FORMAT or digest != _digest({"format": FORMAT, **told}):
            raise _damaged(folder)
        told["files"] = [File(**file) for file in told["files"]]
        manifest = Manifest(**told)
    except OSError:
        raise BackupDamaged("backup.incomplete", incomplete) from None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise _damaged(folder) from None
    if manifest.of != of:
        raise BackupRefused("restore.wrong_backup", f"{folder} is a backup of the {manifest.of}, not of the {of}")
    return manifest


def _damaged(folder: Path) -> BackupDamaged:
    return BackupDamaged("backup.damaged", f"{folder / NAME} is not as it was written", ({"file": NAME, "message": "altered"},))


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def check(folder: Path, manifest: Manifest, progress: Progress | None = None) -> list[dict[str, str]]:
    """What is wrong with a backup's files: missing, cut or altered ones, and such as are no part of it."""
    total = sum(file.bytes for file in manifest.files)
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    found: list[dict[str, str]] = []
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            found.append({"file": file.name, "message": "missing"})
        elif path.stat().st_size != file.bytes:
            found.append({"file": file.name, "message": f"has {path.stat().st_size:,} bytes, not {file.bytes:,}"})
        elif sha256(path, told) != file.sha256:
            found.append({"file": file.name, "message": "altered: its SHA-256 is another"})
    known = {NAME, *(file.name for file in manifest.files)}
    return found + [
        {"file": path.name, "message": "is no part of the backup"} for path in sorted(folder.iterdir()) if path.name not in known
    ]
