"""The audit over HTTP and on the command line: what it hands out verifies elsewhere, and what it finds it tells."""

import json
import os
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.auditing import key_of
from api.settings import Settings, load_settings
from api.wiring import Daybook, open_books, open_daybook
from replay.audit import verifier
from replay.audit.notes import SigningKey
from tests.commands.orders import order, receipt


@pytest.fixture
def customer(daybook: Daybook) -> str:
    orders = [order("register_customer", name=f"Customer {number}", email=f"c{number}@example.org") for number in range(20)]
    return str(receipt(daybook.books.dispatcher.execute(orders)[7]).stream_id)


def get(http: TestClient, path: str, **parameters: Any) -> Any:
    response = http.get(f"/v1/audit/{path}", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def hashes(texts: list[str]) -> list[bytes]:
    return [b64decode(text) for text in texts]


@pytest.mark.usefixtures("customer")
def test_a_checkpoint_is_signed_by_the_published_key(http: TestClient) -> None:
    key, note = http.get("/v1/audit/key"), http.get("/v1/audit/checkpoint")
    assert key.headers["content-type"] == note.headers["content-type"] == "text/plain; charset=utf-8"
    size, _ = verifier.checkpoint(note.text, key.text)
    assert size == http.get("/health").json()["head"] == 40


def test_an_empty_log_has_a_checkpoint_too(http: TestClient) -> None:
    key, note = http.get("/v1/audit/key").text, http.get("/v1/audit/checkpoint").text
    assert verifier.checkpoint(note, key)[0] == 0


@pytest.mark.usefixtures("customer")
def test_every_event_can_be_proven(http: TestClient) -> None:
    size, root = verifier.checkpoint(http.get("/v1/audit/checkpoint").text, http.get("/v1/audit/key").text)
    for position in range(1, size + 1):
        proof = get(http, "proof/inclusion", position=position, size=size)
        leaf = verifier.leaf_hash(proof["entry"].encode())
        assert b64decode(proof["leaf_hash"]) == leaf
        assert verifier.included(leaf, position - 1, size, hashes(proof["proof"])) == root == b64decode(proof["root"])


@pytest.mark.usefixtures("customer")
def test_the_log_is_shown_to_begin_with_what_it_was(http: TestClient) -> None:
    for older in range(41):
        proof = get(http, "proof/consistency", **{"from": older})
        roots = b64decode(proof["from_root"]), b64decode(proof["to_root"])
        assert verifier.consistent(older, proof["to"], *roots, hashes(proof["proof"]))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("proof/inclusion?position=41", 404, "audit.position_unknown"),
        ("proof/inclusion?position=1&size=41", 404, "audit.size_unknown"),
        ("proof/inclusion?position=0", 422, "request.invalid"),
        ("proof/inclusion", 422, "request.invalid"),
        ("proof/consistency?from=1&to=41", 404, "audit.size_unknown"),
        ("proof/consistency?from=9&to=8", 409, "audit.sizes_reversed"),
        ("proof/consistency?from=1&until=2", 422, "request.invalid"),
        ("customers/00000000-0000-4000-8000-000000000009", 404, "customer.unknown"),
        ("customers/00000000-0000-4000-8000-000000000009?older=99", 404, "audit.size_unknown"),
        ("customers/nobody/report", 422, "request.invalid"),
    ],
)
@pytest.mark.usefixtures("customer")
def test_what_cannot_be_proven_is_refused(http: TestClient, path: str, status: int, code: str) -> None:
    response = http.get(f"/v1/audit/{path}")
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_customers_history_verifies_and_reads(http: TestClient, customer: str) -> None:
    history = get(http, f"customers/{customer}", older=[5, 20])
    assert verifier.verify(history, http.get("/v1/audit/key").text, [])
    assert [event["type"] for event in history["events"]] == ["customer.registered", "customer.contact_details_changed"]
    report = http.get(f"/v1/audit/customers/{customer}/report?language=zh")
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    assert "客户历史" in report.text
    assert "c7@example.org" in report.text
    assert "c7@example.org" not in http.get(f"/v1/audit/customers/{customer}/report?personal=false").text


@pytest.mark.usefixtures("customer")
def test_an_altered_log_is_told_and_not_signed(http: TestClient, settings: Settings) -> None:
    http.get("/v1/audit/checkpoint")
    alter(settings.data, "UPDATE stored_events SET state = state || ' ' WHERE position = 40")
    response = http.get("/v1/audit/checkpoint")
    assert (response.status_code, response.json()["code"]) == (500, "audit.log_altered")


def test_the_key_may_come_from_the_settings(data_folder: Path) -> None:
    key = SigningKey("crm.example.org", bytes(32))
    settings = load_settings({}, data=data_folder, audit_key=key.line())
    assert key_of(settings).public == key.public
    assert not (data_folder / "audit.key").exists()
    assert key.line() not in str(settings.shown()) + repr(settings)


def alter(folder: Path, statement: str) -> None:
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
    subprocess.run([sys.executable, "-c", program, folder / "log.db", statement], check=True, timeout=60)


def daybook_command(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from api.cli import main; main()", "--data", folder, "audit", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


def test_an_auditor_goes_from_a_checkpoint_to_a_verified_report(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with open_books(load_settings({}, data=folder)) as books:
        made = receipt(books.dispatcher.execute([order("register_customer", name="Acme")])[0])
    assert daybook_command(folder, "checkpoint", "--to", tmp_path / "old.txt").returncode == 0
    key = daybook_command(folder, "key").stdout
    with open_books(load_settings({}, data=folder)) as books:
        books.dispatcher.execute([order("rename_customer", customer_id=str(made.stream_id), name="Acme Ltd")])
    assert json.loads(daybook_command(folder, "prove", "1").stdout)["size"] == 2
    assert json.loads(daybook_command(folder, "consistency", str(tmp_path / "old.txt")).stdout)["from"] == 1
    written = daybook_command(folder, "customer", str(made.stream_id), "--to", tmp_path / "out", "--older", tmp_path / "old.txt")
    assert written.returncode == 0, written.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"history.json", "report.html", "checkpoint.txt", "verify.py"}
    command = [sys.executable, "-I", "-S", "verify.py", "history.json", "--key", key.strip(), "--checkpoint", "../old.txt"]
    verified = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=False, timeout=60)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "the log still begins with them" in verified.stdout
    sound = daybook_command(folder, "verify", "--checkpoint", tmp_path / "old.txt")
    assert (sound.returncode, "nothing was altered" in sound.stdout) == (0, True), sound.stderr
    alter(folder, "UPDATE stored_events SET state = replace(state, 'Acme Ltd', 'Acme Inc') WHERE position = 2")
    altered = daybook_command(folder, "--json", "verify", "--checkpoint", str(tmp_path / "old.txt"))
    found = json.loads(altered.stdout)
    assert (altered.returncode, found["sound"]) == (1, False)
    assert {"kind": "edited", "first": 2, "last": 2, "message": "what stands at position 2 is not what was hashed"} in found["findings"]


def test_a_server_hashes_as_it_goes_and_tells_when_the_log_was_altered(tmp_path: Path) -> None:
    settings = load_settings({}, data=tmp_path / "served")
    with open_daybook(settings, follow=True) as daybook, TestClient(create_app(daybook), base_url="http://127.0.0.1") as http:
        daybook.books.dispatcher.execute([order("register_customer", name="Acme")])
        wait_until(lambda: daybook.auditor.tree.size == 1)
        assert http.get("/health").json()["troubles"] == []
        alter(settings.data, "UPDATE stored_events SET state = replace(state, 'Acme', 'Asme')")
        daybook.books.dispatcher.execute([order("register_customer", name="Bcme")])
        wait_until(lambda: daybook.auditor.trouble is not None)
        assert "position 1 is not the one that was hashed" in http.get("/health").json()["troubles"][0]
        assert daybook.auditor.tree.size == 1


def wait_until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)
