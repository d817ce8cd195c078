"""The page on importing shows mappings that work, and leaves nothing out."""

import re
from pathlib import Path

import pytest

from api.imports.filters import FILTERS
from api.imports.mapping import CASE_FACTS, Activity, Cases, CommandTemplate, File, Find, Lookup, Plan, Rows
from api.imports.reading import shipped
from tests.api.imports.importing import Books, write

BLOCK = re.compile(r"```(csv|toml)\n(.*?)```", re.DOTALL)


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "importing.md").read_text()


@pytest.mark.parametrize(("number", "file", "commands"), [(0, "people.csv", 4), (1, "log.csv", 6)])
def test_its_examples_can_be_run(books: Books, page: str, tmp_path: Path, number: int, file: str, commands: int) -> None:
    csv, toml = [text for _, text in BLOCK.findall(page)][number * 2 : number * 2 + 2]
    summary = books.run(write(tmp_path / "m.toml", toml), write(tmp_path / file, csv))
    assert (summary.refused, summary.accepted) == (0, commands)


@pytest.mark.parametrize("model", [Plan, File, Lookup, Find, Rows, CommandTemplate, Cases, Activity])
def test_it_names_every_key(page: str, model: type) -> None:
    assert [key for key in model.model_fields if f"`{key}`" not in page and f"`{key}." not in page] == []


def test_it_names_every_filter_fact_shipped_mapping_and_code(page: str, root: Path) -> None:
    source = "".join(path.read_text() for path in (root / "api" / "imports").glob("*.py"))
    codes = set(re.findall(r'"((?:row|value|key|time|lookup|case|activity|command)\.[a-z_]+)"', source)) | {"case.empty", "activity.empty"}
    assert len(codes) > 15
    assert [code for code in codes if f"`{code}`" not in page] == []
    assert [name for name in FILTERS if f"`{name}`" not in page and f"`{name}(" not in page] == []
    assert [fact for fact in CASE_FACTS if f"`@{fact}`" not in page] == []
    assert [name for name in shipped() if f"`{name}`" not in page] == []
