"""The logs that the contract is held against, each on storage of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.vault import Vault, master_key
from commands.log import EventLog
from tests.memory_log import MemoryLog


@dataclass
class Storage:
    """Where one log lies; opening it again is what another process does."""

    log_place: str
    keys_place: str
    master: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def vault(self) -> Vault:
        return self.stack.enter_context(closing(open_vault(self.keys_place, master_key(self.master))))

    def open(self, vault: Vault | None = None) -> Log:
        return self.stack.enter_context(closing(open_log(self.log_place, vault or self.vault())))


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    master = tmp_path / "master.key"
    if request.param == "sqlite":
        made = Storage(str(tmp_path / "log.db"), str(tmp_path / "keys.db"), master)
    else:
        url: str = request.getfixturevalue("postgres_url")
        made = Storage(url, url, master)
    with made.stack:
        yield made


@pytest.fixture
def log(storage: Storage) -> Log:
    """A log with a feed, in each database."""
    return storage.open()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def any_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    """A log as commands see it: the one in memory that their tests use, and the real ones."""
    if request.param == "memory":
        yield MemoryLog()
        return

    def place(name: str) -> str:
        return str(tmp_path / name) if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    with closing(open_vault(place("keys.db"), bytes(32))) as vault, closing(open_log(place("log.db"), vault)) as opened:
        yield opened
