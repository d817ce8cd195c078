"""Looks for what is wrong with a data folder, and says how to mend it; changes nothing."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from api.folder import Folder, is_held, server
from api.observing.tracing import endpoint_of
from api.settings import Settings, is_loopback
from api.wiring import Books, open_books
from domain.errors import DaybookError
from domain.values import CLOCK_SKEW

LITTLE: Final = 1024**3
VERY_LITTLE: Final = 100 * 1024**2
STEPS: Final = 200
"""Hundreds of thousands of SQLite's steps that a file check may take before it is left at that."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and what to do about it."""

    about: str
    level: Level
    found: str
    mend: str | None = None


def ok(about: str, found: str) -> Finding:
    """All is well there."""
    return Finding(about, Level.OK, found)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything but the read models, which only the process that has them open can tell of."""
    folder = Folder(settings.data)
    if not folder.path.is_dir():
        if not settings.log_url:
            yield Finding(
                "folder",
                Level.WARNING,
                f"{folder.path} is not there",
                "it is made by the first command; or name another with --data or DAYBOOK_DATA",
            )
            return
    else:
        yield from _folder(folder.path)
        yield _space(folder.path)
        yield from _secrets(folder)
        yield from _files(folder)
    yield _address(settings)
    yield _serving(folder)
    yield from _watched(settings)
    yield from _log(settings)


def _folder(path: Path) -> Iterator[Finding]:
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("folder", Level.TROUBLE, f"{path} may not be read and written by this user", f"chown it: chown -R $USER {path}")
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("folder", Level.WARNING, f"{path} is open to other users of this machine", f"chmod 700 {path}")
    else:
        yield ok("folder", str(path))


def _space(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    found = f"{free / 1024**3:,.1f} GiB are free"
    if free < VERY_LITTLE:
        return Finding("disk", Level.TROUBLE, found, "make room: without it nothing can be recorded")
    return Finding("disk", Level.WARNING, found, "make room soon") if free < LITTLE else ok("disk", found)


def _secrets(folder: Folder) -> Iterator[Finding]:
    if not folder.master_key.exists():
        if folder.keys.exists():
            mend = f"put the key that {folder.keys.name} was begun with back into {folder.master_key}, or set DAYBOOK_MASTER_KEY; without it personal fields cannot be read"
            yield Finding("master key", Level.WARNING, "there is no key file, but there are keys that one wraps", mend)
        return
    if folder.master_key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            "master key", Level.TROUBLE, f"{folder.master_key} is open to other users of this machine", f"chmod 600 {folder.master_key}"
        )
    else:
        yield ok("master key", "for its owner only; keep a copy apart from the backups of the log")


def _files(folder: Folder) -> Iterator[Finding]:
    for path in (folder.log, folder.keys, folder.lookups):
        if path.exists():
            yield _sound(path)


def _sound(path: Path) -> Finding:
    steps = 0

    def counted() -> int:
        nonlocal steps
        steps += 1
        return int(steps > STEPS)

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(counted, 100_000)
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if steps > STEPS:
            return ok(path.name, f"sound as far as was looked ({path.stat().st_size / 1024**2:,.0f} MiB)")
        said = str(error)
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said == "ok":
        return ok(path.name, f"sound ({path.stat().st_size / 1024**2:,.1f} MiB)")
    mend = "restore it from a backup" if path.name != "lookups.db" else f"delete {path}: it is folded again from the log"
    return Finding(path.name, Level.TROUBLE, f"damaged: {said}", mend)


def _address(settings: Settings) -> Finding:
    if is_loopback(settings.host):
        return ok("address", f"{settings.host}:{settings.port}, for this machine only")
    mend = "set DAYBOOK_HOST to 127.0.0.1; until access control exists nothing else is served"
    return Finding("address", Level.TROUBLE, f"{settings.host} can be reached from other machines", mend)


def _serving(folder: Folder) -> Finding:
    running = server(folder)
    if running is not None:
        return ok("server", f"process {running['pid']} serves at {running['url']}")
    if is_held(folder):
        return Finding(
            "server", Level.WARNING, "a process works in the folder but does not serve", "it is a command that runs; wait for it"
        )
    return ok("server", "none runs; commands open the folder themselves")


def _watched(settings: Settings) -> Iterator[Finding]:
    alone = f"; publish and work at http://127.0.0.1:{settings.metrics_port}/metrics" if settings.metrics_port is not None else ""
    yield ok("metrics", f"a server's at http://{settings.host}:{settings.port}/metrics{alone}")
    if settings.traces is None:
        yield ok("traces", "are not made (DAYBOOK_TRACES)")
    else:
        yield ok("traces", f"{settings.traces_ratio:.0%} of them go to {endpoint_of(settings.traces)}")


def _log(settings: Settings) -> Iterator[Finding]:
    try:
        with open_books(settings) as books:
            yield from _books(books)
    except DaybookError as error:
        mend = {
            "log.newer": "run the newer Daybook that wrote it",
            "log.foreign": "name another data folder: this file is something else's",
            "keys.wrong_master_key": "put the right master key back; what it wrapped cannot be read without it",
            "log.locked": "end the process that holds it",
            "log.full": "make room on the disk",
        }.get(error.code, "see what the message says")
        yield Finding("log", Level.TROUBLE, f"{error.code}: {error.message}", mend)


def _books(books: Books) -> Iterator[Finding]:
    head = books.log.head()
    yield ok("log", f"{head:,} events")
    if not head:
        return
    last = books.log.read(head - 1, 1)
    with suppress(IndexError):
        recorded = datetime.fromisoformat(last[0].recorded_at)
        ahead = recorded - datetime.now(UTC)
        if ahead > CLOCK_SKEW:
            mend = "set this machine's clock right: what is recorded now would seem older than what is there"
            yield Finding("clock", Level.TROUBLE, f"the last event was recorded {_spoken(ahead)} in the future", mend)
        else:
            yield ok("clock", f"the last event was recorded {last[0].recorded_at}")


def _spoken(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min"
