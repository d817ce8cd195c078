"""Servers of their own, each in a process: Daybook on a data folder, and the empty application."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.server import free_port

PATIENCE = 120.0
"""Seconds that a server has to begin to answer."""


@contextmanager
def daybook(data: Path) -> Iterator[int]:
    """Daybook serving `data`; gives its port."""
    port = free_port()
    with _running(program(data, "serve", "--port", str(port)), port, "/health"):
        yield port


def program(data: Path, *arguments: str) -> list[str]:
    """A `daybook` command on a data folder."""
    return [sys.executable, "-m", "api.cli", "--data", str(data), "--json", *arguments]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with settings instead of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    return own | {f"DAYBOOK_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def empty() -> Iterator[int]:
    """The empty FastAPI application on the same kind of server; gives its port."""
    port = free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", "bench.empty:app", "--port", str(port), "--log-level", "warning", "--no-access-log"]
    with _running(uvicorn, port, "/docs"):
        yield port


@contextmanager
def _running(program: list[str], port: int, path: str) -> Iterator[None]:
    server = subprocess.Popen(program, stdout=subprocess.DEVNULL)
    try:
        answers(server, f"http://127.0.0.1:{port}{path}")
        yield
    finally:
        server.terminate()
        server.wait(30)


def answers(server: subprocess.Popen[bytes], url: str) -> None:
    """Wait until a server answers. Raises RuntimeError when it ends or keeps silent instead."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own server on loopback
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no answer from {url}")


def command(port: int, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Send one command; its receipt."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/commands/{name}",
        data=json.dumps(data).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - our own server on loopback
        receipt: dict[str, Any] = json.load(answer)
        return receipt
