"""Why a command was not accepted, beyond the domain's own refusals.

DaybookError
├── InvalidCommand    the message has the wrong shape; `details` say where
├── UnknownCommand    no command has that name
├── VersionMismatch   the record is not at the version that the caller expected
├── CommandIdReused   the command id was given to another command before
├── NotApplied        it was part of an atomic batch in which another command was refused
└── CommandFailed     deciding it failed in a way that nobody foresaw; our fault
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import DaybookError


class InvalidCommand(DaybookError):
    """The command's message has the wrong shape; `details` name each place (`loc`) and what is wrong there (`msg`)."""

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__("command.invalid", message)
        self.details = details


class UnknownCommand(DaybookError):
    """No command has that name."""

    def __init__(self, name: str) -> None:
        super().__init__("command.unknown", f"there is no command “{name[:100]}”; the reference page lists all of them")


class VersionMismatch(DaybookError):
    """The record has changed since the caller last saw it."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__("version.mismatch", f"the record is at version {actual}, not {expected}; read it again and decide anew")


class CommandIdReused(DaybookError):
    """The same command id came with another content."""

    def __init__(self) -> None:
        super().__init__("command.id_reused", "this command id was used for a command with another content; give a new id")


class NotApplied(DaybookError):
    """An atomic batch is applied whole or not at all."""

    def __init__(self) -> None:
        super().__init__("batch.not_applied", "another command of this atomic batch was refused, so none was applied")


class CommandFailed(DaybookError):
    """Deciding the command failed; nothing of it was written, and commands that came with it are not touched."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "command.failed", f"deciding {name} failed through no fault of yours; nothing was written, and the log of the process says more"
        )
