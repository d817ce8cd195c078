"""A Daybook to import into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.imports.importing import Books


@pytest.fixture
def books(data_folder: Path) -> Iterator[Books]:
    opened = Books(data_folder)
    yield opened
    opened.close()
