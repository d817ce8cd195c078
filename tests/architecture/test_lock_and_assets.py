"""What comes from outside is pinned by hash: libraries in the lock, and the vendored files of the pages."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

VENDORED = ("api/static/swagger-ui", "tests/vendored/asyncapi", "tests/vendored/compose")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(root: Path) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    requirements = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *(line for extra in extras for line in extra),
    ]
    return {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in requirements}


def locked(root: Path) -> dict[str, str]:
    """Each locked requirement with its text up to the next one."""
    text = (root / "requirements.lock").read_text()
    parts = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    return {normal(part.split("==")[0].split("[")[0]): part for part in parts}


def test_everything_that_is_required_is_locked(root: Path) -> None:
    assert wanted(root) - set(locked(root)) == set()


def test_every_locked_requirement_is_one_version_with_hashes(root: Path) -> None:
    loose = [name for name, part in locked(root).items() if not re.match(r"\S+==\S+.*\\\n\s+--hash=sha256:[0-9a-f]{64}", part)]
    assert loose == []


def test_the_lock_names_no_address(root: Path) -> None:
    assert re.findall(r"^.*(?:://|--index|--extra-index|--find-links).*$", (root / "requirements.lock").read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("asset", VENDORED)
def test_vendored_files_are_those_that_were_published(root: Path, asset: str) -> None:
    folder = root / asset
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert sums == {name: there[name] for name in there if name not in {"SHA256SUMS", "README.md"}}


@pytest.mark.parametrize("asset", VENDORED)
def test_vendored_files_come_with_their_licence(root: Path, asset: str) -> None:
    assert (root / asset / "LICENSE").stat().st_size > 1000


def test_every_vendored_folder_is_checked(root: Path) -> None:
    sums = [path for folder in ("api", "tests") for path in (root / folder).rglob("SHA256SUMS")]
    assert sorted(path.parent.relative_to(root).as_posix() for path in sums) == sorted(VENDORED)
