"""Reading CSV: strictly, row by row, so that a row that is wrong is told and the next one is read."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.imports.errors import UnreadableFile
from api.imports.mapping import File
from api.imports.sources import BadRow, Limits, Row, open_bytes
from api.imports.text import choices

UNREADABLE = "\udcff"
"""Stands in a cell for bytes that are not text in the file's encoding."""
MARKING = "daybook.mark"
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def _mark(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return UNREADABLE, error.end
    raise error


codecs.register_error(MARKING, _mark)


class _TooLong(Exception):
    """A line or row goes on past the limit."""


class _Lines:
    """The lines of a text, with the number of those read, that stops a row from growing without end."""

    def __init__(self, text: io.TextIOWrapper, name: str, limits: Limits) -> None:
        self._text = text
        self._name = name
        self._limits = limits
        self.number = 0
        self.size = 0
        """Characters since the row began."""

    def __iter__(self) -> Iterator[str]:
        return self

    def _read(self, most: int) -> str:
        try:
            return self._text.readline(most)
        except UnicodeError as error:
            message = f"it is not text in the encoding {self._text.encoding}; say another `encoding` in the mapping ({error})"
            raise UnreadableFile(self._name, message) from None

    def __next__(self) -> str:
        line = self._read(self._limits.row + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.size += len(line)
        if len(line) > self._limits.row:
            while line and not line.endswith(("\n", "\r")):
                line = self._read(self._limits.row)
            raise _TooLong
        if self.size > self._limits.row:
            raise _TooLong
        return line


def _encoding(stream: io.BufferedReader, file: File) -> str:
    start = stream.peek(4)[:4]
    found = next((encoding for bom, encoding in BOMS if start.startswith(bom)), None)
    if file.encoding == "auto":
        return found or "utf-8"
    plain = file.encoding.lower().replace("_", "-")
    return found if found is not None and plain in ("utf-8", "utf8", "utf-16") else file.encoding


def csv_rows(path: Path, file: File, limits: Limits) -> Iterator[Row | BadRow]:
    """Every row after the header. Raises UnreadableFile for what makes the whole file unreadable."""
    with _text(path, file, limits) as text:
        yield from _Table(path.name, file, limits, _Lines(text, path.name, limits)).rows()


def csv_header(path: Path, file: File, limits: Limits) -> Sequence[str]:
    """The names of the columns. Raises UnreadableFile."""
    with _text(path, file, limits) as text:
        return _Table(path.name, file, limits, _Lines(text, path.name, limits)).header()


def _text(path: Path, file: File, limits: Limits) -> io.TextIOWrapper:
    stream = open_bytes(path, limits)
    try:
        return io.TextIOWrapper(stream, _encoding(stream, file), errors=MARKING, newline="")
    except BaseException:
        stream.close()
        raise


class _Table:
    """One CSV file while it is read."""

    def __init__(self, name: str, file: File, limits: Limits, lines: _Lines) -> None:
        self._name = name
        self._file = file
        self._limits = limits
        self._lines = lines
        self._empty = frozenset(file.empty)
        self._cells = csv.reader(
            lines,
            delimiter=file.delimiter,
            quotechar=file.quote,
            escapechar=file.escape,
            doublequote=True,
            skipinitialspace=file.skip_initial_space,
            strict=True,
        )

    def rows(self) -> Iterator[Row | BadRow]:
        """All rows in order."""
        header = self.header()
        number = 0
        while True:
            line, self._lines.size = self._lines.number + 1, 0
            try:
                cells = next(self._cells, None)
            except (csv.Error, _TooLong) as error:
                number += 1
                yield self._broken(Row(self._name, number, line), error)
                continue
            if cells is None:
                return
            if cells:
                number += 1
                yield self._row(header, number, line, cells)

    def header(self) -> Sequence[str]:
        """The names of the columns, read or given; leaves the file at its first row. Raises UnreadableFile."""
        for _ in range(self._file.skip_lines):
            next(self._lines, None)
        if self._file.header is not None:
            return self._file.header
        try:
            header = [cell.strip() for cell in next((cells for cells in self._cells if cells), ())]
        except (csv.Error, _TooLong) as error:
            raise UnreadableFile(self._name, f"its header line cannot be read: {error or 'it is too long'}") from None
        twice = sorted({column for column in header if header.count(column) > 1 and column})
        if not any(header):
            raise UnreadableFile(self._name, "it is empty; its first line must name the columns (or say `header = […]` in the mapping)")
        if UNREADABLE in "".join(header):
            raise UnreadableFile(self._name, "its header is not text in this encoding; say `encoding` in the mapping, such as cp1252")
        if twice:
            raise UnreadableFile(
                self._name, f"two columns are called {choices(twice)}; say `header = […]` and `skip_lines = 1` in the mapping"
            )
        if len(header) > self._limits.columns:
            raise UnreadableFile(self._name, f"it has {len(header):,} columns; {self._limits.columns:,} are allowed")
        return header

    def _row(self, header: Sequence[str], number: int, line: int, cells: Sequence[str]) -> Row | BadRow:
        if self._file.strip:
            cells = [cell.strip() for cell in cells]
        named = {column: cell for column, cell in zip(header, cells, strict=False) if cell and column and cell not in self._empty}
        row = Row(self._name, number, line, named)
        if len(cells) > len(header):
            extra = choices(cells[len(header) :], 5)
            return BadRow(row, "row.too_many_cells", f"it has {len(cells)} cells for {len(header)} columns; too many are: {extra}")
        if len(cells) < len(header) and self._file.short_rows == "refuse":
            return BadRow(
                row, "row.too_few_cells", f'it has {len(cells)} cells for {len(header)} columns; `short_rows = "pad"` would fill it up'
            )
        for column, cell in named.items():
            if len(cell) > self._limits.cell:
                return BadRow(
                    Row(self._name, number, line),
                    "row.too_long",
                    f"“{column}” has {len(cell):,} characters; {self._limits.cell:,} are allowed",
                )
            if UNREADABLE in cell or "\x00" in cell:
                return self._not_text(row, column)
        return row

    def _not_text(self, row: Row, column: str) -> BadRow:
        shown = {
            name: cell.replace(UNREADABLE, "\N{REPLACEMENT CHARACTER}").replace("\x00", "\N{REPLACEMENT CHARACTER}")
            for name, cell in row.cells.items()
        }
        clean = Row(row.file, row.number, row.line, shown)
        return BadRow(
            clean, "row.encoding", f"“{column}” is not text in this file's encoding; mend it, or say another `encoding` in the mapping"
        )

    def _broken(self, row: Row, error: Exception) -> BadRow:
        if isinstance(error, _TooLong) or "field larger" in str(error):
            message = f"lines {row.line} to {self._lines.number} make a row or cell that is too long (is a quote never closed?); they were not read"
            return BadRow(row, "row.too_long", message)
        last = f" to {self._lines.number}" if self._lines.number > row.line else ""
        return BadRow(row, "row.not_csv", f"line {row.line}{last}: {error}")
