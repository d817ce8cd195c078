"""Whatever lies in a file, a reader gives rows, tells which it cannot read, or refuses the file; it never fails otherwise."""

import csv
import gzip
import io
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.imports.csv_rows import csv_rows
from api.imports.errors import InvalidMapping, UnreadableFile
from api.imports.expressions import parse_template
from api.imports.mapping import File
from api.imports.reading import parse_mapping
from api.imports.sources import BadRow, Limits, Row
from api.imports.xes_rows import xes_rows
from tests.api.imports.importing import write

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
LOG = b'<log><trace><string key="concept:name" value="A"/><event><date key="time:timestamp" value="2020-01-01"/></event></trace></log>'


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8), st.sampled_from([",", ";", "\t", "|"]), st.booleans())
def test_what_a_writer_wrote_is_read_back(rows: list[list[str]], delimiter: str, packed: bool) -> None:  # noqa: FBT001
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *rows])
    data = text.getvalue().encode()
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "any.csv", gzip.compress(data) if packed else data)
        found = list(csv_rows(path, File(pattern=("*",), delimiter=delimiter, strip=False), Limits()))
    expected = [{name: cell for name, cell in zip("abc", row, strict=True) if cell} for row in rows]
    assert [dict(row.cells) for row in found if isinstance(row, Row)] == expected


@given(st.binary(max_size=300), st.sampled_from(["auto", "cp1252", "utf-16", "ascii"]))
def test_any_bytes_are_taken_for_csv_without_failing(data: bytes, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "any.csv", b"a,b\n" + data)
        try:
            rows = list(csv_rows(path, File(pattern=("*",), encoding=encoding), Limits(cell=50, row=100)))
        except UnreadableFile:
            return
    assert [(row.row if isinstance(row, BadRow) else row).number for row in rows] == list(range(1, len(rows) + 1))


@settings(max_examples=200)
@given(st.integers(0, len(LOG) - 1), st.binary(max_size=6), st.integers(0, 10))
def test_a_spoilt_event_log_is_read_or_refused(at: int, spoilt: bytes, gone: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "any.xes", LOG[:at] + spoilt + LOG[at + gone :])
        try:
            rows = list(xes_rows(path, Limits()))
        except UnreadableFile:
            return
    assert len(rows) <= 1


@settings(max_examples=300)
@given(st.text(st.sampled_from("{}|?'`@$ab(),. \\"), max_size=20))
def test_any_text_is_a_template_or_told_what_is_wrong_with_it(text: str) -> None:
    with suppress(ValueError):
        assert parse_template(text).source == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_any_value_of_a_key_is_taken_or_told_to_be_wrong(value: object) -> None:
    said = _toml(value)
    for key in ("name", "files", "rows", "cases", "setup", "values", "lookups", "constants", "time_formats", "order", "occurred_at"):
        with pytest.raises(InvalidMapping, match=r"any\.toml: "):
            parse_mapping(f"{key} = {said}\n", "any.toml")


def _toml(value: object) -> str:
    match value:
        case None:
            return "7"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + "".join(f"\\U{ord(each):08X}" for each in value) + '"'
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
        case _:
            raise AssertionError
