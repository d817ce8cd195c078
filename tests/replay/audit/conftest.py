"""One real history for all tests of the audit: a small company, with checkpoints taken on the way."""

from pathlib import Path

import pytest

from api.demo.fill import fill
from api.settings import load_settings
from api.wiring import open_books
from commands.order import Receipt
from tests.commands.orders import order, receipt
from tests.replay.audit.ledger import Ledger


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, list[Receipt]]:
    folder = tmp_path_factory.mktemp("audit") / "data"
    ledger = Ledger(folder)
    with open_books(load_settings({}, data=folder)) as books:
        fill(books.log, events=1500)
    ledger.checkpoint("first")
    with open_books(load_settings({}, data=folder)) as books:
        orders = [order("register_customer", kind="company", name=f"Customer {number}") for number in range(300)]
        receipts = [receipt(outcome) for outcome in books.dispatcher.execute(orders)]
    ledger.checkpoint("second")
    return ledger, receipts


@pytest.fixture
def ledger(history: tuple[Ledger, list[Receipt]], tmp_path: Path) -> Ledger:
    """A copy to tamper with."""
    return history[0].copy(tmp_path / "ledger")


@pytest.fixture
def size(ledger: Ledger) -> int:
    return int(ledger.one("SELECT MAX(position) FROM stored_events"))


@pytest.fixture
def receipts(history: tuple[Ledger, list[Receipt]]) -> list[dict[str, object]]:
    """Receipts as clients keep them: of the last 300 commands."""
    return [
        {"command_id": each.command_id, "position": each.position, "event_ids": [str(event) for event in each.event_ids]}
        for each in history[1]
    ]
