"""Each demonstration shows what it is expected to show."""

from importlib import import_module
from pathlib import Path

import pytest

EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "examples").glob("h*.py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_demonstration_shows_what_is_expected(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_module(f"examples.{name}").main()
    assert capsys.readouterr().out == (root / "examples" / f"{name}.txt").read_text(encoding="utf-8")
