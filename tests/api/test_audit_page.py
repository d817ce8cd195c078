"""The page on the audit shows what really happens, and leaves nothing out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.settings import load_settings
from api.wiring import open_books
from replay.audit.findings import Kind
from replay.audit.merkle import leaf_hash
from replay.audit.notes import PublicKey, parse, signed_by
from tests.commands.orders import order, receipt


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "audit.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_its_checkpoint_verifies_with_its_key(page: str) -> None:
    note, key, *_ = blocks(page, "text")
    assert parse(note).size == 3119
    assert signed_by(note, [PublicKey.parse(key)]) is not None


def test_its_entry_has_the_hash_that_it_says(page: str) -> None:
    entry = blocks(page, "text")[2].removesuffix("\n")
    assert f"`{leaf_hash(entry.encode()).hex()}`" in page


def test_it_names_every_finding(page: str) -> None:
    assert [kind for kind in Kind if f"| `{kind}` |" not in page] == []


def test_its_commands_run_in_order(page: str, root: Path, tmp_path: Path) -> None:
    with open_books(load_settings({}, data=tmp_path / "data")) as books:
        orders = [order("register_customer", name=f"Customer {number}", email=f"c{number}@example.org") for number in range(10)]
        customer = receipt(books.dispatcher.execute(orders)[0]).stream_id
    (tmp_path / "auditor").mkdir()
    (tmp_path / "bin").mkdir()
    program = f'#!/bin/sh\nexec "{sys.executable}" -c "from api.cli import main; main()" "$@"\n'
    (tmp_path / "bin" / "daybook").write_text(program)
    (tmp_path / "bin" / "daybook").chmod(0o700)
    script = "set -e\n" + "".join(blocks(page, "sh")).replace("01935492-dfe0-7c3f-ab3a-cad58d50b265", str(customer))
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(root)}
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was altered" in done.stdout
    assert done.stdout.endswith("all of this holds\n")
    assert (tmp_path / "audit-report" / "report.html").exists()
