"""Documents point at what is there, and every page can be found."""

import re
from pathlib import Path

import pytest

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
PAGES = ("README.md", "CHANGELOG.md")


def documents(root: Path) -> list[Path]:
    return [*(root / page for page in PAGES), *sorted((root / "docs").rglob("*.md"))]


def links(page: Path) -> list[Path]:
    return [(page.parent / target).resolve() for target in LINK.findall(page.read_text())]


def test_every_link_leads_somewhere(root: Path) -> None:
    broken = [f"{page.relative_to(root)} → {target}" for page in documents(root) for target in links(page) if not target.exists()]
    assert broken == []


def test_every_page_is_in_the_index(root: Path) -> None:
    index = root / "docs" / "index.md"
    assert set(documents(root)) - {index} - set(links(index)) == set()


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "soak"])
def test_the_readme_names_every_make_target(root: Path, target: str) -> None:
    assert re.search(rf"^{target}:", (root / "Makefile").read_text(), re.MULTILINE)
    assert re.search(rf"\b{target}\b", (root / "README.md").read_text())


def test_the_readme_names_every_folder(root: Path) -> None:
    folders = {path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "_")) and any(path.rglob("*.py"))}
    assert [name for name in sorted(folders) if f"`{name}/`" not in (root / "README.md").read_text()] == []
