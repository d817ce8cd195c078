"""The pages that are written from the code are current."""

from api.reference import PAGE, page
from commands.catalogue import COMMANDS


def test_the_reference_of_commands_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m api.reference"


def test_every_command_has_a_sentence_there() -> None:
    silent = [command.name for command in COMMANDS.values() if not command.summary.endswith(".")]
    assert silent == []
