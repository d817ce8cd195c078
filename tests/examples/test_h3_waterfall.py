"""The demonstration of the waterfall shows what it is expected to show."""

from pathlib import Path

import pytest

from examples import h3_waterfall


def test_the_demonstration_shows_what_is_expected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h3_waterfall.main()
    assert capsys.readouterr().out == (root / "examples" / "h3_waterfall.txt").read_text(encoding="utf-8")
