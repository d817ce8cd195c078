"""Nothing that a server or a command writes about itself, at level debug and whatever goes wrong, says anything about a person."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.faults.commands import start
from tests.faults.server import Server

NAME, EMAIL, PHONE, STREET = "Zaphodita Trillian", "zaphodita@beeblebrox.example", "+442079460958", "Magratheastrasse 42"
MARKS = ("zaphodita", "trillian", "beeblebrox", "2079460958", "magrathea")
DEBUG = {"log_level": "debug", "log": "json"}
MAPPING = """
name = "people"

[files.people]
pattern = "people.csv"

[[rows]]
file = "people"
id = "{id}"
occurred_at = "{since}"
[[rows.commands]]
command = "register_customer"
data = { customer_id = { ref = "{id}" }, name = "{name}", kind = "{kind}", email = "{email}" }
"""
ROWS = f"""id,name,kind,email,since
1,{NAME},person,{EMAIL},2020-01-01
2,{NAME},robot,{EMAIL},2020-01-01
3,{NAME},person,{NAME},2020-01-01
4,{NAME},person,{EMAIL},{NAME}
{NAME}
"""


@pytest.fixture
def server(data_folder: Path) -> Iterator[Server]:
    running = Server(data_folder, urls={**DEBUG, "max_command_bytes": "4096"}).started()
    yield running
    running.kill()


def post(server: Server, path: str, body: Any, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = server.ask("POST", path, content, {"content-type": kind, **headers})
    try:
        return status, json.loads(answer)
    except ValueError:
        return status, answer


def give(server: Server, command: str, **data: Any) -> Any:
    status, answer = post(server, f"/v1/commands/{command}", data)
    assert status == 200, answer
    return answer


def people(server: Server) -> tuple[str, str]:
    """A customer who is a person, and a contact."""
    ref = {"source": "crm", "id": EMAIL}
    customer = give(server, "register_customer", customer_id=ref, kind="person", name=NAME, email=EMAIL, phone=PHONE)["stream_id"]
    give(server, "note_customer_preferences", customer_id=customer, note=STREET, language="de")
    firm = give(server, "register_customer", name="Acme")["stream_id"]
    contact = give(server, "add_contact", customer_id=firm, name=NAME, email=EMAIL, phone=PHONE, primary=True)["stream_id"]
    give(server, "log_interaction", customer_id=firm, contact_id=contact, kind="call", direction="inbound", subject=NAME, summary=STREET)
    return customer, contact


def refused(server: Server, customer: str) -> None:
    """Everything that a caller can get wrong, each with a mark in it."""
    for command, data in (
        ("register_customer", {"customer_id": {"source": "crm", "id": EMAIL}, "name": NAME}),
        ("register_customer", {"name": {"first": NAME}, "kind": STREET, "email": NAME}),
        ("rename_customer", {"customer_id": EMAIL, "name": NAME}),
        ("rename_customer", {"customer_id": {"source": "crm", "id": NAME}, "name": NAME}),
        (NAME, {"name": NAME}),
        ("register_customer", {"name": NAME * 1000}),
        ("open_opportunity", {"customer_id": customer, "name": NAME, "amount": 12.5}),
    ):
        status, answer = post(server, f"/v1/commands/{quote(command)}", data)
        assert 400 <= status < 500, answer
    good = {"name": NAME}
    for headers in ({"Idempotency-Key": NAME}, {"If-Match": EMAIL}, {"Host": "beeblebrox.example"}):
        assert 400 <= post(server, "/v1/commands/register_customer", good, **headers)[0] < 500
    assert post(server, "/v1/commands/register_customer", good, traceparent=NAME, **{"User-Agent": NAME})[0] == 200
    for body in (f'{{"name": "{NAME}"', f'["{NAME}"]', f"\xff{NAME}", NAME):
        assert 400 <= post(server, "/v1/commands/register_customer", body.encode("latin-1"))[0] < 500
    assert post(server, "/v1/commands/register_customer", good, NAME)[0] == 415
    lines = f'{{"command": "rename_customer", "data": {{"customer_id": "{EMAIL}"}}}}\n{NAME}\n{{"command": "{NAME}", "data": {{}}}}\n'
    for atomic in ("true", "false"):
        post(server, f"/v1/commands?atomic={atomic}", lines.encode(), "application/x-ndjson")
    for path in (
        f"/v1/customers/{EMAIL}",
        f"/{quote(NAME)}",
        f"/v1/customers?called={EMAIL}",
        f"/v1/events?after={EMAIL}",
        f"/v1/timeline/{EMAIL}?q={EMAIL}",
    ):
        assert 400 <= server.ask("GET", path)[0] < 500, path
    assert server.ask("GET", f"/v1/customers?name={EMAIL}")[0] == 200


def asked_wrongly(server: Server) -> None:
    """SQL that fails on what it was given."""
    for sql, parameters in (
        (f"SELECT CAST('{NAME}' AS INTEGER)", []),
        ("SELECT CAST(? AS INTEGER)", [EMAIL]),
        (f'SELECT "{NAME}" FROM customers', []),
        (f"SELECT '{NAME}", []),
        (f"SELECT error('{NAME}')", []),
    ):
        status, answer = post(server, "/v1/sql", {"sql": sql, "parameters": parameters})
        assert status == 400, answer


def broken(server: Server, data: Path, customer: str) -> None:
    """What should not happen: a history that cannot be read, tables that are not there; each told as a fault."""
    other = give(server, "register_customer", kind="person", name=NAME, email=EMAIL)["stream_id"]
    server.ask("GET", f"/v1/customers/{other}?at_least=1")
    with closing(sqlite3.connect(data / "log.db")) as log, log:
        log.execute("UPDATE stored_events SET state = ? WHERE originator_id = ?", [f'{{"name": "{NAME}", "v": "{EMAIL}"}}', customer])
    server.stop()
    server.start()
    server.wait_ready()
    status, answer = post(server, "/v1/commands/rename_customer", {"customer_id": customer, "name": NAME})
    assert status >= 500, answer
    assert server.ask("GET", f"/v1/audit/customers/{customer}")[0] >= 400
    with closing(sqlite3.connect(data / "lookups.db", timeout=30)) as lookups, lookups:
        moments = [name for _, name, *_ in lookups.execute("PRAGMA table_info(customer_360__1)") if name.endswith("_at")]
        lookups.execute(f"UPDATE customer_360__1 SET {', '.join(f'{name} = ?1' for name in moments)}", [NAME])
    assert server.ask("GET", f"/v1/customers/{other}")[0] == 500
    with closing(sqlite3.connect(data / "lookups.db", timeout=30)) as lookups, lookups:
        views = [name for (name,) in lookups.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
        for view in views:
            lookups.execute(f'DROP VIEW "{view}"')
    assert server.ask("GET", f"/v1/customers/{other}")[0] == 500
    with closing(sqlite3.connect(data / "lookups.db", timeout=30)) as lookups, lookups:
        tables = [name for (name,) in lookups.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'customer_360%'")]
        for table in tables:
            lookups.execute(f'DROP TABLE "{table}"')
    give(server, "register_customer", kind="person", name=NAME, email=EMAIL)
    deadline = time.monotonic() + 20
    while server.ask("GET", "/health/ready")[0] == 200:
        assert time.monotonic() < deadline, server.get("/health")
        time.sleep(0.1)


def commanded(data: Path, folder: Path) -> bytes:
    """What commands write that read files full of people with bad rows."""
    said = folder / "commands.txt"
    (folder / "people.toml").write_text(MAPPING, encoding="utf-8")
    (folder / "people.csv").write_text(ROWS, encoding="utf-8")
    lines = [
        {"command": "register_customer", "data": {"name": NAME, "kind": kind, "email": email}}
        for kind, email in (("person", EMAIL), (NAME, NAME))
    ]
    (folder / "lines.ndjson").write_text("\n".join([*map(json.dumps, lines), NAME]), encoding="utf-8")
    for arguments in (
        ("import", "--mapping", str(folder / "people.toml"), "--refused", str(folder / "refused.csv"), str(folder / "people.csv")),
        ("ingest", str(folder / "lines.ndjson"), "--refused", str(folder / "refused.ndjson")),
    ):
        assert start(data, *arguments, output=said, settings=DEBUG).wait(120) == 1, said.read_text()
    for kept in ("refused.csv", "refused.ndjson"):
        assert NAME in (folder / kept).read_text(), "what was refused is kept where it was asked for"
    return said.read_bytes()


def found(written: bytes) -> list[str]:
    text = written.decode("utf-8", "replace").lower()
    text = text.encode().decode("unicode_escape", "replace") + text
    return [line[:300] for line in text.splitlines() if any(mark in line or mark in re.sub(r"[\s()-]", "", line) for mark in MARKS)]


@pytest.mark.timeout(600)
def test_nothing_that_is_logged_names_anybody(server: Server, data_folder: Path, tmp_path: Path) -> None:
    customer, contact = people(server)
    refused(server, customer)
    asked_wrongly(server)
    give(server, "erase_contact", contact_id=contact, legal_basis="no_longer_needed")
    assert 400 <= post(server, "/v1/commands/erase_contact", {"contact_id": contact, "legal_basis": NAME})[0] < 500
    metrics = server.ask("GET", "/metrics")[1]
    assert found(commanded(data_folder, tmp_path)) == []
    broken(server, data_folder, customer)
    server.stop()
    written = server.said.read_bytes()
    assert found(written) == []
    assert found(metrics) == []
    lines = [json.loads(line) for line in written.splitlines()]
    events = [line.get("event", "") for line in lines]
    for expected in ("serving", "request answered", "request refused", "request failed", "stopped"):
        assert expected in events, f"nothing told that: {expected}"
    assert any("cannot be moved on" in event for event in events)
    assert all({"level", "timestamp", "logger"} <= line.keys() for line in lines if "url" not in line or "event" in line)
    assert {line["code"] for line in lines if line.get("event") == "request refused"} >= {
        "command.invalid",
        "customer.exists",
        "body.malformed",
    }
