"""The seven packages lie at the root of the repository, import anywhere, and hold nothing unfinished."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGES = ("domain", "commands", "bus", "projections", "readmodels", "replay", "api")

WHERE = f"""
import importlib, json
print(json.dumps({{name: importlib.import_module(name).__file__ for name in {PACKAGES!r}}}))
"""


def sources(root: Path, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


def test_the_seven_packages_import_from_the_repository_root_whatever_the_working_folder(root: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-P", "-c", WHERE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(found.stdout) == {name: str(root / name / "__init__.py") for name in PACKAGES}


def test_no_package_shadows_a_standard_module() -> None:
    assert not set(PACKAGES) & sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_opens_with_a_sentence(root: Path, package: str) -> None:
    silent = [path for path in sources(root, package) if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_nothing_is_left_unfinished(root: Path) -> None:
    marks = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK|NotImplemented" + r"Error)\b")
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in sources(root, *PACKAGES, "bench", "tests")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []


def is_empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return all(isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def may_be_empty(owner: ast.ClassDef | None, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Ports (Protocols) declare without a body; overloads do too."""
    decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
    bases = {ast.unparse(base).split("[")[0] for base in owner.bases} if owner else set[str]()
    return bool(decorators & {"overload", "abstractmethod"}) or "Protocol" in bases


def empty_functions(tree: ast.Module) -> list[str]:
    owners: dict[ast.AST, ast.ClassDef] = {child: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for child in node.body}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [node.name for node in functions if is_empty(node) and not may_be_empty(owners.get(node), node)]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_function_does_something(root: Path, package: str) -> None:
    empty = {str(path.relative_to(root)): empty_functions(ast.parse(path.read_text())) for path in sources(root, package)}
    assert {path: names for path, names in empty.items() if names} == {}


MAY_BE_LEFT_OUT = {
    "tests/faults/test_all_killed.py": "the broker that comes with Python packages forgets what it was sent when it is killed",
    "tests/faults/test_million.py": "the broker that comes with Python packages forgets what it was sent when it is killed",
    "tests/faults/test_taker_killed.py": "the broker that comes with Python packages does not give a killed member's partitions to others",
    "tests/faults/test_disk_full.py": "a disk of its own needs the right to mount one; the limit on file sizes is tested anywhere",
    "tests/faults/test_network_parted.py": "a network of its own needs the right to make one; a silent connection is tested anywhere",
    "tests/faults/test_workers_parted.py": "likewise; a worker whose connection is silent is tried anywhere",
    "tests/bus/kafka/test_publisher.py": "the broker that comes with Python packages goes on taking records for a topic that was deleted",
}


def test_no_test_is_skipped_or_expected_to_fail(root: Path) -> None:
    marks = re.compile(r"pytest\.(?:mark\.)?(?:sk" + r"ip|sk" + r"ipif|xf" + r"ail|importor" + r"skip)\b|unittest\.mo" + r"ck\b")
    found = [
        f"{path.relative_to(root)}:{number}"
        for path in sources(root, "tests")
        if str(path.relative_to(root)) not in MAY_BE_LEFT_OUT
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []


def test_the_distribution_holds_the_seven_packages_and_the_command(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"daybook": "api.cli:main"}
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == [f"{name}*" for name in PACKAGES]
