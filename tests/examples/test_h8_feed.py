"""The demonstration of the feed shows what it is expected to show."""

from pathlib import Path

import pytest

from examples import h8_feed


def test_the_demonstration_shows_what_is_expected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h8_feed.main()
    assert capsys.readouterr().out == (root / "examples" / "h8_feed.txt").read_text(encoding="utf-8")
