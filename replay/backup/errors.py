"""What backups add to the error tree of the domain.

DaybookError
├── BackupRefused    it cannot be made or put back there
└── BackupDamaged    it is not what was made
"""

from domain.errors import DaybookError


class BackupRefused(DaybookError):
    """The target is not empty (`backup.target_exists`, `restore.target_not_empty`), or what was given does not fit together (`restore.…`)."""


class BackupDamaged(DaybookError):
    """There is no whole backup (`backup.incomplete`), or something in it is not what was made (`backup.damaged`); `details` name it."""

    def __init__(self, code: str, message: str, details: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(code, message)
        self.findings = details
