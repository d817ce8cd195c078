"""Whether the read models of a data folder are what the log says: caught up by themselves, and equal to a rebuild."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from api.folder import Folder, held
from api.settings import load_settings
from api.wiring import open_daybook
from replay.rebuild import verify
from tests.faults.commands import run
from tests.faults.history import NO_URLS
from tests.faults.server import Server

CAUGHT_UP_WITHIN: Final = 60.0


def caught_up(server: Server, within: float = CAUGHT_UP_WITHIN) -> float:
    """Seconds until a running server's read models are at the head of the log and all is well. Fails when that takes too long."""
    began = time.monotonic()
    health = server.get("/health", any_status=True)
    while health["status"] != "ok" or set(health["folded"].values()) != {health["head"]}:
        assert time.monotonic() - began < within, health
        time.sleep(0.05)
        health = server.get("/health", any_status=True)
    return time.monotonic() - began


def unhealthy(data: Path) -> list[dict[str, Any]]:
    """What `daybook doctor` finds wrong with a folder."""
    return [finding for finding in run(data, "doctor", succeeds=False) if finding["level"] == "trouble"]


def differences(data: Path, *, urls: Mapping[str, str] = NO_URLS) -> list[str]:
    """The folds whose rows differ from those of a rebuild, of a folder that nobody serves from."""
    settings = load_settings({}, data=data, **urls)
    with held(Folder(data), patience=5.0), open_daybook(settings) as daybook:
        found = verify(daybook.books.log, list(daybook.tables.engines.values()))
        head = daybook.books.log.head()
    assert found
    apart = [f"{each.fold} in the {each.home}: {each.rows_apart} rows apart" for each in found if each.rows_apart]
    return apart + [f"{each.fold} in the {each.home} is at {each.position}, not {head}" for each in found if each.position != head]
