"""What a log may say of an exception: its kind, where it was raised and codes of its own, never its message, which may quote what people are called."""

import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import psycopg

from domain.errors import DaybookError

MOST_FRAMES: Final = 30
MOST_CAUSES: Final = 8
_PACKAGES: Final = Path(__file__).parents[2]


def redacted(error: BaseException) -> str:
    """A traceback, the cause last, without messages and without values."""
    return "\ncaused by ".join("\n".join([named(cause), *_frames(cause.__traceback__)]) for cause in _causes(error))


def named(error: BaseException) -> str:
    """The kind of an exception, and what its library or the system numbers it."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    code = _code(error)
    return f"{name} ({code})" if code else name


def _code(error: BaseException) -> str | None:
    match error:
        case DaybookError():
            return error.code
        case sqlite3.Error():
            return getattr(error, "sqlite_errorname", None)
        case psycopg.Error():
            place = [error.diag.table_name, error.diag.constraint_name]
            return " ".join([error.sqlstate, *filter(None, place)]) if error.sqlstate else None
        case OSError():
            return error.strerror
        case _:
            return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _frames(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace, limit=-MOST_FRAMES)
    return [f"  {_place(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]


def _place(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(_PACKAGES):
        path = path.relative_to(_PACKAGES)
    return str(path).rpartition("site-packages/")[2]
