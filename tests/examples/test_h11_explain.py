"""The demonstration of explanations shows what it is expected to show."""

from pathlib import Path

import pytest

from examples import h11_explain


def test_the_demonstration_shows_what_is_expected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h11_explain.main()
    assert capsys.readouterr().out == (root / "examples" / "h11_explain.txt").read_text(encoding="utf-8")
