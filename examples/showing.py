"""What the demonstrations share: a Daybook in a folder that goes away, commands and reads over HTTP, and lines to print."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import open_daybook

STAGES = [{"name": "qualified"}, {"name": "offer"}, {"name": "won", "status": "won"}, {"name": "lost", "status": "lost"}]


def say(*words: object) -> None:
    """Print a line."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


@contextmanager
def daybook() -> Generator[TestClient]:
    """A new Daybook, asked as over HTTP; every read includes what was written before."""
    with (
        TemporaryDirectory(prefix="daybook-") as name,
        open_daybook(Settings(data=Path(name))) as opened,
        TestClient(create_app(opened), base_url="http://127.0.0.1") as http,
    ):
        yield http


def give(http: TestClient, command: str, *, at: str | None = None, **data: Any) -> str:
    """Send a command about what happened on the day or at the instant `at` (now, unless said); the record that it was about."""
    sent = {"command": command, "data": data} | ({"occurred_at": at if "T" in at else f"{at}T09:00:00Z"} if at else {})
    [result] = http.post("/v1/commands", json=[sent]).raise_for_status().json()["results"]
    if "problem" in result:
        raise RuntimeError(result["problem"]["detail"])
    return str(result["receipt"]["stream_id"])


def ask(http: TestClient, path: str, **parameters: Any) -> Any:
    """The answer of a read."""
    head = http.get("/v1/events", params={"limit": 1}).json()["head"]
    return http.get(path, params={"at_least": head, **parameters}).raise_for_status().json()
