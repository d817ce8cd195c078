"""What can go wrong with an import, from the whole of it down to one row.

DaybookError
├── ImportRefused      nothing is imported
│   ├── InvalidMapping     the mapping file is wrong; `faults` say where and what to do
│   └── UnreadableFile     a file is missing, damaged, too large or not what the mapping says
└── RowRefused         one row cannot be imported; it goes into the refused-rows file, the others go on
"""

from collections.abc import Sequence

from domain.errors import DaybookError


class ImportRefused(DaybookError):
    """Nothing was imported."""


class InvalidMapping(ImportRefused):
    """The mapping is wrong: each fault names the table and key, what is wrong and what to do."""

    def __init__(self, file: str, faults: Sequence[str]) -> None:
        super().__init__("import.mapping", "\n".join(f"{file}: {fault}" for fault in faults))
        self.faults = tuple(faults)


class UnreadableFile(ImportRefused):
    """A file cannot be read as the mapping says."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__("import.file", f"{file}: {message}")


class RowRefused(DaybookError):
    """A row that cannot become commands; the code is a stable slug."""
