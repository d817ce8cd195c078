"""The demonstration of trials shows what it is expected to show."""

from pathlib import Path

import pytest

from examples import h5_whatif


def test_the_demonstration_shows_what_is_expected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h5_whatif.main()
    assert capsys.readouterr().out == (root / "examples" / "h5_whatif.txt").read_text(encoding="utf-8")
