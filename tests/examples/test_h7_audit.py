"""The demonstration of the audit shows what it is expected to show."""

from pathlib import Path

import pytest

from examples import h7_audit


def test_the_demonstration_shows_what_is_expected(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h7_audit.main()
    assert capsys.readouterr().out == (root / "examples" / "h7_audit.txt").read_text(encoding="utf-8")
