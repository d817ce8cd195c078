"""The demonstration of erasure shows what it is expected to show."""

from pathlib import Path

import pytest

from examples import h10_erasure


def test_the_demonstration_shows_what_is_expected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h10_erasure.main()
    assert capsys.readouterr().out == (root / "examples" / "h10_erasure.txt").read_text(encoding="utf-8")
