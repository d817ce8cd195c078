"""The error tree of the domain; every code is a stable slug that callers may match on.

DaybookError
├── RuleViolation    a business rule forbids what was asked (or reported) — nothing was recorded
├── NotFound         a record that was referred to does not exist
├── CorruptHistory   stored events contradict each other — never the caller's fault
"""


class DaybookError(Exception):
    """The root of everything Daybook raises on purpose: a stable `code` and a sentence for people."""

    code: str = "daybook.error"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RuleViolation(DaybookError):
    """A business rule refuses this."""


class NotFound(DaybookError):
    """A record that the caller named does not exist."""


class CorruptHistory(DaybookError):
    """A stream's events cannot be what this code wrote."""
