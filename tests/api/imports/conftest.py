"""A Daybook to import into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.imports.importing import Books, History


@pytest.fixture
def books(data_folder: Path) -> Iterator[Books]:
    opened = Books(data_folder)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def history(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """All the real files imported, and imported again."""
    made = History(Books(tmp_path_factory.mktemp("history") / "data"))
    for name in ("crm_sales", "helpdesk", "olist_orders"):
        made.first[name] = made.books.run(name, shared_data / name)
        made.second[name] = made.books.run(name, shared_data / name)
    yield made
    made.books.close()
