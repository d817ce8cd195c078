import gzip
from pathlib import Path
from typing import Any

import pytest

from api.imports.csv_rows import csv_rows
from api.imports.errors import UnreadableFile
from api.imports.mapping import File
from api.imports.sources import BadRow, Limits, Row
from tests.api.imports.importing import write

SMALL = Limits(cell=1000, row=2000, columns=5, file=100_000, free=50_000)


def read(path: Path, limits: Limits = SMALL, **dialect: Any) -> list[Row | BadRow]:
    return list(csv_rows(path, File(pattern=("*",), **dialect), limits))


def cells(path: Path, **dialect: Any) -> list[dict[str, str]]:
    found = read(path, **dialect)
    assert all(isinstance(row, Row) for row in found), found
    return [dict(row.cells) for row in found if isinstance(row, Row)]


def test_cells_may_hold_newlines_quotes_and_delimiters_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"two\nlines, ""quoted"""\n\n2,\n')
    assert [(row.number, row.line) for row in read(path) if isinstance(row, Row)] == [(1, 2), (2, 5)]
    assert cells(path) == [{"id": "1", "text": 'two\nlines, "quoted"'}, {"id": "2"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    text = "id,name\r\n1,Łódź 北京\r\n"
    if encoding.endswith("-bom"):
        data = "\ufeff".encode(encoding.removesuffix("-bom")) + text.encode(encoding.removesuffix("-bom"))
    else:
        data = text.encode(encoding)
    assert cells(write(tmp_path / "a.csv", data)) == [{"id": "1", "name": "Łódź 北京"}]


def test_the_real_samples_in_four_encodings_are_one_table(shared_data: Path) -> None:
    folder = shared_data / "crm_import_samples" / "salesforce_dataloader"
    tables = [
        cells(folder / name) for name in ("csvtext.csv", "csvtext_BOM_UTF8.csv", "csvtext_BOM_UTF16LE.csv", "csvtext_BOM_UTF16BE.csv")
    ]
    assert tables[0]
    assert all(table == tables[0] for table in tables[1:])


def test_a_row_in_another_encoding_is_told_and_the_others_are_read(shared_data: Path) -> None:
    path = shared_data / "crm_import_samples" / "salesforce_dataloader" / "accountData.csv"
    found = read(path, Limits())
    bad = [row for row in found if isinstance(row, BadRow)]
    assert len(found) == 423
    assert {row.code for row in bad} == {"row.encoding"}
    assert len(bad) == 4
    assert "\N{REPLACEMENT CHARACTER}" in "".join(bad[0].row.cells.values())
    assert not [row for row in read(path, Limits(), encoding="cp1252") if isinstance(row, BadRow)]


def test_semicolons_quotes_and_words_for_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "made by hand\nid;name\n1; 'x;y'\n2;NULL\n3;-\n")
    read_as: dict[str, Any] = {"skip_lines": 1, "delimiter": ";", "quote": "'", "skip_initial_space": True, "empty": ("NULL", "-")}
    assert cells(path, **read_as) == [{"id": "1", "name": "x;y"}, {"id": "2"}, {"id": "3"}]


def test_a_header_can_be_given(tmp_path: Path) -> None:
    assert cells(write(tmp_path / "a.csv", "1,x\n"), header=("id", "name")) == [{"id": "1", "name": "x"}]


def test_rows_of_the_wrong_width_and_broken_quotes_are_told_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,name\n1,a,b\n2\n3,"x"y\n4,ok\n5,nul\x00\n')
    codes = [row.code if isinstance(row, BadRow) else row.cells["id"] for row in read(path)]
    assert codes == ["row.too_many_cells", "row.too_few_cells", "row.not_csv", "4", "row.encoding"]
    assert [row.line if isinstance(row, Row) else row.row.line for row in read(path)] == [2, 3, 4, 5, 6]
    assert cells(write(tmp_path / "b.csv", "id,name\n2\n"), short_rows="pad") == [{"id": "2"}]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,name\n1,"open\n' + "2,x\n" * 5000 + "9,end\n")
    found = read(path)
    assert isinstance(found[0], BadRow)
    assert found[0].code == "row.too_long"
    assert "were not read" in found[0].message
    last = found[-1]
    assert isinstance(last, Row)
    assert last.cells["id"] == "9"


def test_a_line_without_end_is_passed_over_within_the_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,name\n1," + "x" * 9000 + "\n2,ok\n")
    bad, good = read(path)
    assert isinstance(bad, BadRow)
    assert bad.code == "row.too_long"
    assert isinstance(good, Row)
    assert good.line == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"id,id\n1,2\n", "two columns are called id"),
        (b"a,b,c,d,e,f\n", "6 columns"),
        ("id,größe\n".encode("cp1252"), "header is not text"),
        (b'"id\n', "header line cannot be read"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        read(write(tmp_path / "a.csv", content))


def test_gzip_is_unpacked_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert cells(write(tmp_path / "a.csv", gzip.compress(b"id\n1\n"))) == [{"id": "1"}]


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = write(tmp_path / "a.csv.gz", gzip.compress(b"id\n" + b"1\n" * 40_000))
    with pytest.raises(UnreadableFile, match="unpacks to more than 50,000 bytes"):
        read(bomb)


def test_a_packed_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"id\n" + b"".join(b"%d\n" % number for number in range(5000)))
    with pytest.raises(UnreadableFile, match="damaged"):
        read(write(tmp_path / "a.csv.gz", packed[:-20]))
