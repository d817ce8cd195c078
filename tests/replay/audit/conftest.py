"""One real history for all tests of the audit, in each database: a small company, with checkpoints taken on the way."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from api.demo.fill import fill
from commands.order import Receipt
from tests.commands.orders import order, receipt
from tests.replay.audit.ledger import Ledger, PostgresLedger

History = tuple[Ledger, list[Receipt]]


def begun(ledger: Ledger) -> History:
    with ledger.books() as books:
        fill(books.log, events=1500)
    ledger.checkpoint("first")
    with ledger.books() as books:
        orders = [order("register_customer", kind="company", name=f"Customer {number}") for number in range(300)]
        receipts = [receipt(outcome) for outcome in books.dispatcher.execute(orders)]
    ledger.checkpoint("second")
    return ledger, receipts


@pytest.fixture(scope="session")
def sqlite_history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return begun(Ledger(tmp_path_factory.mktemp("audit") / "data"))


@pytest.fixture(scope="session")
def postgres_history(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> History:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE audited")
    url = urlunsplit(urlsplit(postgres_server)._replace(path="/audited"))
    history = begun(PostgresLedger(tmp_path_factory.mktemp("audit") / "data", {}, url))
    PostgresLedger(history[0].folder, {}, url).begin()
    return history


@pytest.fixture(params=["sqlite", "postgres"])
def history(request: pytest.FixtureRequest) -> History:
    found: History = request.getfixturevalue(f"{request.param}_history")
    return found


@pytest.fixture
def ledger(history: History, tmp_path: Path) -> Ledger:
    """A copy to tamper with."""
    return history[0].copy(tmp_path / "ledger")


@pytest.fixture
def size(ledger: Ledger) -> int:
    return int(ledger.one("SELECT MAX(position) FROM stored_events"))


@pytest.fixture
def receipts(history: History) -> list[dict[str, object]]:
    """Receipts as clients keep them: of the last 300 commands."""
    return [
        {"command_id": each.command_id, "position": each.position, "event_ids": [str(event) for event in each.event_ids]}
        for each in history[1]
    ]
