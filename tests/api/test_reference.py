"""The pages that are written from the code are current."""

from collections.abc import Callable

import pytest

from api.reference import DOCS, PAGES_WRITTEN
from commands.catalogue import COMMANDS


@pytest.mark.parametrize(("name", "page"), PAGES_WRITTEN.items())
def test_a_page_that_is_written_from_the_code_is_current(name: str, page: Callable[[], str]) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == page(), "run: python -m api.reference"


def test_every_command_has_a_sentence_there() -> None:
    silent = [command.name for command in COMMANDS.values() if not command.summary.endswith(".")]
    assert silent == []
