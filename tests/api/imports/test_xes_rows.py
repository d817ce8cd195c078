import gzip
from pathlib import Path

import pytest

from api.imports.errors import UnreadableFile
from api.imports.sources import BadRow, Limits, Row
from api.imports.xes_rows import xes_rows
from tests.api.imports.importing import write

LOG = """
<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <global scope="event"><string key="org:resource" value="nobody"/></global>
  <string key="source" value="test"/>
  <trace>
    <string key="concept:name" value="A"/>
    <event>
      <string key="concept:name" value="W_Call &amp; ask"><int key="level" value="2"/></string>
      <date key="time:timestamp" value="2020-01-01T10:00:00.000+01:00"/>
      <list key="who"><values><string key="name" value="x"/></values></list>
      <string key="empty" value=""/>
    </event>
    <float key="amount" value="12.5"/>
    <event><string key="concept:name" value="End"/></event>
  </trace>
  <trace><string key="concept:name" value="nothing happened"/></trace>
  <event><string key="concept:name" value="of no case"/></event>
</log>
"""


def read(path: Path, limits: Limits | None = None) -> list[Row | BadRow]:
    return list(xes_rows(path, limits or Limits()))


def test_events_carry_their_own_and_their_cases_attributes(tmp_path: Path) -> None:
    first, second, third = (row.cells for row in read(write(tmp_path / "log.xes", LOG)) if isinstance(row, Row))
    assert first == {
        "case:concept:name": "A",
        "case:amount": "12.5",
        "concept:name": "W_Call & ask",
        "concept:name/level": "2",
        "time:timestamp": "2020-01-01T10:00:00.000+01:00",
        "who/name": "x",
    }
    assert second == {"case:concept:name": "A", "case:amount": "12.5", "concept:name": "End"}
    assert third == {"concept:name": "of no case"}


def test_rows_are_numbered_with_their_lines(tmp_path: Path) -> None:
    rows = [row for row in read(write(tmp_path / "log.xes", LOG)) if isinstance(row, Row)]
    assert [(row.number, row.line) for row in rows] == [(1, 7), (2, 14), (3, 17)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('<!DOCTYPE log [<!ENTITY a "aaaa">]><log><trace/></log>', "document type or entities"),
        ('<!DOCTYPE log SYSTEM "file:///etc/passwd"><log/>', "document type or entities"),
        ("<log><trace></log>", "not well-formed"),
        ("<log><trace>", "not well-formed"),
        ("<html/>", "outermost element is not <log>"),
        ("", "not well-formed"),
        ("<log>" + "<container>" * 100 + "</container>" * 100 + "</log>", "deep"),
    ],
)
def test_what_is_no_sound_event_log_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        read(write(tmp_path / "log.xes", content.encode()))


def test_attributes_that_are_too_long_refuse_their_event_alone(tmp_path: Path) -> None:
    log = f'<log><trace><event><string key="a" value="{"x" * 2000}"/></event><event><string key="a" value="y"/></event></trace></log>'
    bad, good = read(write(tmp_path / "log.xes", log.encode()), Limits(cell=1000))
    assert isinstance(bad, BadRow)
    assert bad.code == "row.too_long"
    assert isinstance(good, Row)


def test_a_trace_without_end_is_refused(tmp_path: Path) -> None:
    log = "<log><trace>" + "<event/>" * 50 + "</trace></log>"
    with pytest.raises(UnreadableFile, match="more than 20 events"):
        read(write(tmp_path / "log.xes", log.encode()), Limits(case_events=20))


def test_a_packed_log_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    log = b"<log>" + b"<trace><event/></trace>" * 10_000 + b"</log>"
    with pytest.raises(UnreadableFile, match="unpacks to more than"):
        read(write(tmp_path / "log.xes.gz", gzip.compress(log)), Limits(free=100_000, ratio=10))


def test_the_real_log_has_all_its_cases_and_events(shared_data: Path) -> None:
    rows = [row for row in read(shared_data / "helpdesk" / "helpdesk.xes.gz") if isinstance(row, Row)]
    assert len(rows) == 21_348
    assert len({row.cells["case:concept:name"] for row in rows}) == 4_580
