"""An application over a log in memory, and one caller of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings, load_settings
from api.wiring import Daybook
from commands.dispatch import Dispatcher
from commands.group import GroupCommit
from tests.memory_log import MemoryLog


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, data=tmp_path, max_command_bytes=10_000, max_body_bytes=100_000, max_bulk_commands=50, max_wait_seconds=0.3)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def app(settings: Settings, log: MemoryLog) -> Iterator[FastAPI]:
    group = GroupCommit(Dispatcher(log, base_currency="EUR"))
    yield create_app(Daybook(settings, group))
    group.close()


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client
