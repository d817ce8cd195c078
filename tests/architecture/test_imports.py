"""Which package may import which: the contracts hold, each of them breaks when violated, and the strictest are lists of what is allowed."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("domain", "commands", "bus", "projections", "readmodels", "replay", "api")

VIOLATIONS = (
    ("layers", "domain", "import readmodels"),
    ("layers", "readmodels", "import bus"),
    ("layers", "bus", "import readmodels"),
    ("layers", "bus", "import commands.log"),
    ("layers", "readmodels", "import projections"),
    ("layers", "projections", "import commands.log"),
    ("layers", "commands", "import projections"),
    ("layers", "commands", "import replay"),
    ("layers", "replay", "import api"),
    ("commands-own-their-port", "commands", "import bus"),
    ("commands-own-their-port", "commands", "import readmodels"),
    ("commands-own-their-port", "commands", "import sqlite3"),
    ("commands-own-their-port", "commands", "from sqlalchemy import select"),
    ("commands-own-their-port", "commands", "import fastapi"),
    ("domain-is-pure", "domain", "import pydantic"),
    ("domain-is-pure", "domain", "import os"),
    ("only-the-bus-travels", "projections", "from eventsourcing.persistence import StoredEvent"),
    ("only-the-bus-travels", "replay", "import kafka"),
    ("only-the-bus-travels", "api", "import kafka"),
    ("the-web-stays-at-the-door", "bus", "import fastapi"),
    ("the-web-stays-at-the-door", "readmodels", "from starlette.responses import Response"),
    ("the-web-stays-at-the-door", "replay", "import rich"),
    ("watched-from-the-door", "bus", "import prometheus_client"),
    ("watched-from-the-door", "projections", "from structlog import get_logger"),
    ("the-bus-names-traces", "projections", "from opentelemetry import trace"),
    ("the-bus-names-traces", "commands", "import opentelemetry.trace"),
)

COMMANDS_MAY_USE = {"domain", "commands", "email_validator", "orjson", "phonenumbers", "pydantic", "pydantic_core", "uuid_utils"}
COMMANDS_MAY_NOT_USE = {"http", "os", "pathlib", "socket", "sqlite3", "subprocess", "urllib.request"}


def contracts(root: Path) -> list[str]:
    linter = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    return [contract["id"] for contract in linter["contracts"]]


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages in `folder`, which go before the installed ones."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def house(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, to be violated."""
    copy = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(root / "pyproject.toml", copy)
    return copy


def test_every_contract_holds(root: Path) -> None:
    report = lint(root)
    assert report.returncode == 0, report.stdout + report.stderr


@pytest.mark.parametrize(("contract", "package", "statement"), VIOLATIONS)
def test_a_violation_breaks_its_contract(house: Path, contract: str, package: str, statement: str) -> None:
    intruder = house / package / "intruder.py"
    intruder.write_text(f"{statement}\n")
    try:
        report = lint(house, "--contract", contract)
    finally:
        intruder.unlink()
    assert report.returncode == 1, report.stdout + report.stderr
    assert f"{package}.intruder" in report.stdout


def test_the_copy_without_a_violation_keeps_every_contract(house: Path) -> None:
    report = lint(house)
    assert report.returncode == 0, report.stdout + report.stderr


def test_every_contract_is_seen_to_break(root: Path) -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(contracts(root))


def imported(package: Path) -> Iterator[tuple[Path, str]]:
    """Each module that a package imports, by its whole name."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    yield from ((path, name.name) for name in names)
                case ast.ImportFrom(module=str(module), level=0):
                    yield path, module
                case _:
                    pass


def top(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_domain_imports_nothing_but_the_standard_library(root: Path) -> None:
    assert {(path, name) for path, name in imported(root / "domain") if top(name) not in {"domain", *sys.stdlib_module_names}} == set()


def test_commands_import_only_what_checks_and_reads_values(root: Path) -> None:
    allowed = COMMANDS_MAY_USE | sys.stdlib_module_names
    foreign = {(path, name) for path, name in imported(root / "commands") if top(name) not in allowed or name in COMMANDS_MAY_NOT_USE}
    assert foreign == set()
