"""What docs/archive.md shows an analyst works as it stands, on the archive of a made-up company."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from api.archiving import write
from api.demo.fill import fill
from api.settings import Settings
from api.wiring import open_books, open_daybook

PAGE = Path(__file__).parents[2] / "docs" / "archive.md"
EXAMPLE = re.compile(r"<!-- (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)


def examples(tool: str) -> list[str]:
    return [text for name, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8")) if name == tool]


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """Somebody who works in a data folder with an archive."""
    data = tmp_path_factory.mktemp("analyst")
    with open_books(Settings(data=data)) as books:
        fill(books.log, events=2_000)
    with open_daybook(Settings(data=data)) as daybook:
        assert write(daybook.archive)["archive"]["lag"] == 0
    with pytest.MonkeyPatch.context() as at_work:
        at_work.chdir(data)
        yield at_work


@pytest.mark.usefixtures("analyst")
def test_duckdb_reads_the_archive_as_the_page_shows() -> None:
    found = [duckdb.sql(example).fetchall() for example in examples("duckdb")]
    assert len(found) == 2
    assert all(found)


@pytest.mark.usefixtures("analyst")
def test_polars_reads_the_archive_as_the_page_shows_and_finds_the_same() -> None:
    (example,) = examples("polars")
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - what the page shows is to be run
    assert names["answer"].rows() == duckdb.sql(examples("duckdb")[0]).fetchall()


@pytest.mark.usefixtures("analyst")
def test_the_page_names_the_columns_that_files_have() -> None:
    page = PAGE.read_text(encoding="utf-8")
    columns = duckdb.sql("FROM read_parquet('archive/opportunity.opened/*.parquet')")
    before_fields = columns.columns[: columns.columns.index("opportunity_id")]
    types = {name: str(kind) for name, kind in zip(columns.columns, columns.types, strict=True)}
    for name in before_fields:
        (line,) = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
        assert types[name] in line.split("|")[2]
    assert types["base_amount"] == "DECIMAL(18,4)"
