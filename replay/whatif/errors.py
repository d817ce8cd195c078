"""Why a trial is not made."""

from domain.errors import DaybookError


class TrialRefused(DaybookError):
    """The trial does not fit what there is: its stages, its events, or itself."""


class TrialTooMuch(DaybookError):
    """The trial needs more time or memory than it may have."""
