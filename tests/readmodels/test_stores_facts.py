"""The fact store: one process may write, any thread may read, and a user's SQL can do no harm."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from readmodels.facts import FactsInUse, FactStore, QueryRefused
from readmodels.layout import Column, Kind, Layout, Moved, State, Version

LAYOUT = Layout(
    "visits",
    ("visit_no",),
    (Column("visit_no", Kind.INTEGER), Column("mark__stage", Kind.INTEGER, hidden=True), Column("stage", Kind.TEXT)),
    ("visit_no", "stage"),
)
FIRST = Version("visits", 1, State.BUILDING, "f", 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FactStore]:
    made = FactStore(tmp_path / "facts.duckdb", [LAYOUT], threads=1)
    with made.writing() as writer:
        writer.create(LAYOUT, FIRST)
        writer.serve(LAYOUT, 1)
        writer.connection.execute("INSERT INTO visits__1 SELECT range, range, 'a' FROM range(1000)")
    yield made
    made.close()


def test_the_view_leaves_marks_out(store: FactStore) -> None:
    assert store.query("SELECT * FROM visits WHERE visit_no = $1", [3]) == [(3, "a")]


def test_another_process_is_told_who_has_the_file(store: FactStore, tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from readmodels.facts import FactStore; FactStore(Path(sys.argv[1]), [])"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "facts.duckdb")], capture_output=True, text=True, check=False)
    assert "FactsInUse" in done.stderr
    assert "process" in done.stderr
    assert FactsInUse("facts.in_use", "").code == "facts.in_use"
    assert store.query("SELECT count(*) FROM visits") == [(1000,)]


def test_a_readers_queries_all_see_the_same_state_while_another_thread_writes(store: FactStore) -> None:
    with store.cursor() as reader:
        assert reader.execute("SELECT count(*) FROM visits").fetchall() == [(1000,)]

        def write() -> None:
            with store.writing() as writer:
                writer.connection.execute("INSERT INTO visits__1 VALUES (5000, 1, 'b')")

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert reader.execute("SELECT count(*) FROM visits").fetchall() == [(1000,)]
    assert store.query("SELECT count(*) FROM visits") == [(1001,)]


def test_a_position_moves_only_from_where_it_was_read(store: FactStore) -> None:
    with store.writing() as writer:
        writer.advance([FIRST], 10)
    with pytest.raises(Moved), store.writing() as writer:  # noqa: PT012 - the whole transaction is what must fail
        writer.connection.execute("INSERT INTO visits__1 VALUES (5000, 1, 'b')")
        writer.advance([FIRST], 20)
    assert store.query("SELECT count(*) FROM visits") == [(1000,)]


def test_a_user_gets_as_many_rows_as_are_allowed_and_is_told_of_more(store: FactStore) -> None:
    some = store.select("SELECT visit_no, stage FROM visits ORDER BY 1", seconds=10, rows=3)
    assert (some.table.to_pylist()[-1], some.table.num_rows, some.truncated) == ({"visit_no": 2, "stage": "a"}, 3, True)
    every = store.select("SELECT visit_no FROM visits", seconds=10, rows=1000)
    assert (every.table.num_rows, every.truncated) == (1000, False)
    assert store.select("SELECT 1 AS one WHERE FALSE", seconds=10, rows=1).table.column_names == ["one"]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DELETE FROM visits__1", "sql.not_a_select"),
        ("SELECT 1; SELECT 2", "sql.not_a_select"),
        ("", "sql.not_a_select"),
        ("ATTACH '/tmp/x.duckdb'", "sql.not_a_select"),
        ("COPY visits TO '/tmp/x.csv'", "sql.not_a_select"),
        ("SET threads = 9", "sql.not_a_select"),
        ("CREATE TABLE x AS SELECT 1", "sql.not_a_select"),
        ("SELECT nonsense FROM visits", "sql.wrong"),
        ("SELEC 1", "sql.wrong"),
        ("SELECT * FROM read_csv('/etc/passwd')", "sql.wrong"),
        ("SELECT * FROM '/etc/passwd'", "sql.wrong"),
        ("SELECT * FROM read_text('https://example.org')", "sql.wrong"),
        ("SELECT * FROM glob('/*')", "sql.wrong"),
        ("SELECT 1 / (SELECT stage FROM visits LIMIT 1)", "sql.wrong"),
    ],
)
def test_whatever_is_not_one_select_on_the_facts_is_refused(store: FactStore, sql: str, code: str) -> None:
    with pytest.raises(QueryRefused) as refusal:
        store.select(sql, seconds=10, rows=10)
    assert refusal.value.code == code
    assert store.query("SELECT count(*) FROM visits") == [(1000,)]


def test_a_query_that_takes_too_long_is_stopped(store: FactStore) -> None:
    with pytest.raises(QueryRefused) as refusal:
        store.select(
            "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range * b.range < 0 - a.range", seconds=0.2, rows=10
        )
    assert refusal.value.code == "sql.too_slow"


def test_its_configuration_cannot_be_changed(store: FactStore) -> None:
    with pytest.raises(duckdb.Error, match="locked"), store.cursor() as cursor:
        cursor.execute("SET enable_external_access = true")
