"""What is noted about the request that is being answered, for its metrics, its span and its line in the log."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Note:
    """One request; whoever refuses it notes the problem's code."""

    status: int = 0
    """0 until the answer has begun."""
    code: str | None = None
    trace_id: str | None = None
    """32 hexadecimal digits: the trace that the request belongs to."""
    span_id: str | None = None
    """16 hexadecimal digits: our span in it, while tracing is on."""


NOTE: Final = ContextVar[Note | None]("request", default=None)


def note_code(code: str) -> None:
    """Note why the present request is refused."""
    note = NOTE.get()
    if note is not None:
        note.code = code
