"""The refused-rows file: every row that was not imported, with the reason, as CSV."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import orjson

from api.imports.errors import ImportRefused
from api.imports.making import Refused
from api.imports.sources import Row

COLUMNS = ("file", "row", "line", "code", "message", "command", "command_id", "cells")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RefusedRows:
    """Writes refused rows to a file that only its owner may read, as the cells may be about people; without a path it only counts them."""

    def __init__(self, path: Path | None) -> None:
        self.count = 0
        self.codes: dict[str, int] = {}
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            except OSError as error:
                raise ImportRefused(
                    "import.refused_file", f"{self._path}: the refused rows cannot be written there: {error.strerror}"
                ) from None
            self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(COLUMNS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, row: Row, refused: Refused) -> None:
        """Note one row; `cells` are a JSON object of its columns."""
        self.count += 1
        self.codes[refused.code] = self.codes.get(refused.code, 0) + 1
        if self._file is not None:
            told = (row.file, str(row.number), str(row.line), refused.code, refused.message, refused.command, refused.command_id)
            csv.writer(self._file).writerow([*map(_harmless, told), _json(row.cells)])


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(cells: Mapping[str, str]) -> str:
    return orjson.dumps(dict(cells)).decode()
