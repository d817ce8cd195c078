"""What the log adds to the error tree of the domain.

DaybookError
├── ConcurrencyConflict   somebody else wrote first: load again, decide again
├── UnknownEventType      the log holds a type or shape that this code does not know: it is older than the log
├── LogUnavailable        the log cannot be reached or written now; nothing was acknowledged, trying again is safe
└── ForeignLog            the file or database is not a log of this version of Daybook
"""

from domain.errors import DaybookError


class ConcurrencyConflict(DaybookError):
    """A stream is not at the expected version (`conflict.version`), or a claim (`conflict.claim`) or command id (`conflict.command`) is taken."""


class UnknownEventType(DaybookError):
    """An event of a type (`event.unknown_type`) or shape (`event.unknown_version`) that this code does not know."""


class LogUnavailable(DaybookError):
    """The log could not be read or written: `log.full`, `log.locked`, `log.unavailable` or `log.closed`. Trying again is safe."""


class ForeignLog(DaybookError):
    """What was to be opened is no log (`log.foreign`), or one written by a newer Daybook (`log.newer`)."""
