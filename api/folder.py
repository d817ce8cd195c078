"""The data folder: its files, and the lock that says which process folds and serves from it."""

import fcntl
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.problems import Unavailable
from api.settings import InvalidSettings

WAIT: Final = 0.05
"""Seconds between two looks at a lock that another process holds."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the parts of one Daybook lie."""

    path: Path

    @property
    def log(self) -> Path:
        """The log, when it is a file."""
        return self.path / "log.db"

    @property
    def keys(self) -> Path:
        """People's keys, when they are in a file."""
        return self.path / "keys.db"

    @property
    def master_key(self) -> Path:
        """The key that wraps people's keys."""
        return self.path / "master.key"

    @property
    def erasures(self) -> Path:
        """Who was erased; it goes forward only, and is replayed over what comes back from a backup."""
        return self.path / "erasures.jsonl"

    @property
    def lookups(self) -> Path:
        """The lookups, when they are a file."""
        return self.path / "lookups.db"

    @property
    def facts(self) -> Path:
        """The facts; one process may have them open."""
        return self.path / "facts.duckdb"

    @property
    def archive(self) -> Path:
        """Settled events as typed files."""
        return self.path / "archive"

    @property
    def audit(self) -> Path:
        """The hashes of the log's Merkle tree."""
        return self.path / "audit.db"

    @property
    def audit_key(self) -> Path:
        """The key that signs checkpoints."""
        return self.path / "audit.key"

    @property
    def webhooks(self) -> Path:
        """Who is sent which events, when that is a file."""
        return self.path / "webhooks.db"

    @property
    def server(self) -> Path:
        """Who serves: process id and address."""
        return self.path / "server.json"

    @property
    def settled(self) -> Path:
        """What cannot change any more once there are events."""
        return self.path / "settled.json"

    @property
    def publish_lock(self) -> Path:
        """Held by the process that publishes the log, when that is a file."""
        return self.path / "publish.lock"

    @property
    def lock(self) -> Path:
        """Held by the process that folds."""
        return self.path / "daybook.lock"

    def make(self) -> None:
        """Make the folder, for its owner only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)


def settle(folder: Folder, *, base_currency: str, begun: bool) -> None:
    """Hold to the base currency that the folder's events were recorded in, once there are some (`begun`).

    Raises InvalidSettings `settings.invalid` for another one.
    """
    try:
        settled: Mapping[str, Any] = json.loads(folder.settled.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        settled = {}
    before = settled.get("base_currency")
    if before == base_currency:
        return
    if begun and before is not None:
        message = f"amounts in {folder.path} are kept in {before}: set DAYBOOK_BASE_CURRENCY={before}, or name another folder"
        raise InvalidSettings(message)
    draft = folder.settled.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps({**settled, "base_currency": base_currency}))
    draft.replace(folder.settled)


@contextmanager
def held(folder: Folder, *, patience: float = 0.0) -> Generator[None]:
    """Be the process that folds; the system frees the lock however the process ends. Raises Unavailable `folder.held` after `patience` seconds."""
    folder.make()
    deadline = time.monotonic() + patience
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _lock(descriptor):
            if time.monotonic() >= deadline:
                raise Unavailable("folder.held", f"another Daybook process is working in {folder.path}; wait for it or stop it")
            time.sleep(WAIT)
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Folder) -> bool:
    """Whether some process folds in this folder now."""
    try:
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def announced(folder: Folder, url: str) -> Generator[None]:
    """Say who serves and where, while it does; only the holder of the lock may."""
    told = {"pid": os.getpid(), "url": url}
    draft = folder.server.with_suffix(".tmp")
    draft.write_text(json.dumps(told))
    draft.replace(folder.server)
    try:
        yield
    finally:
        folder.server.unlink(missing_ok=True)


def server(folder: Folder) -> Mapping[str, Any] | None:
    """Who serves from this folder, None when nobody does (what a killed server left behind does not count)."""
    if not is_held(folder):
        return None
    try:
        told: Mapping[str, Any] = json.loads(folder.server.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return told if _alive(told["pid"]) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
