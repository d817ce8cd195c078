"""An application over a Daybook in a folder of its own, and one caller of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings, load_settings
from api.wiring import Daybook, open_daybook


@pytest.fixture
def settings(data_folder: Path) -> Settings:
    limits = {"max_command_bytes": 10_000, "max_body_bytes": 100_000, "max_bulk_commands": 50, "max_wait_seconds": 5.0, "sql_rows": 100}
    return load_settings({}, data=data_folder, **limits)


@pytest.fixture
def daybook(settings: Settings) -> Iterator[Daybook]:
    with open_daybook(settings) as opened:
        yield opened


@pytest.fixture
def app(daybook: Daybook) -> FastAPI:
    return create_app(daybook)


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client
