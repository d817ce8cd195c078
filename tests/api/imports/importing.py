"""What tests of imports share: a Daybook's log in a folder, a mapping and files written by the test, and streams told without random ids."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import UUID

from api.imports.mapping import Plan
from api.imports.reading import parse_mapping
from api.imports.runner import Summary, run_import
from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.vault import Vault, master_key
from commands.dispatch import Dispatcher
from commands.log import EventLog
from domain.envelope import StoredEvent

ACTOR = "user:tester"


@dataclass
class Books:
    """A log on disk and imports into it."""

    folder: Path
    vault: Vault = field(init=False)
    log: Log = field(init=False)
    _closing: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.vault = open_vault(self.folder / "keys.db", master_key(self.folder / "master.key"))
        self.log = open_log(self.folder / "log.db", self.vault)
        self._closing.callback(self.vault.close)
        self._closing.callback(self.log.close)

    def dispatcher(self, log: EventLog) -> Dispatcher:
        return Dispatcher(log, base_currency="EUR", fingerprint_key=self.vault.secret("fingerprints"))

    def run(self, mapping: str | Path, *files: Path, **options: Any) -> Summary:
        return run_import(mapping, files, log=self.log, dispatcher=self.dispatcher, actor=ACTOR, **options)

    def events(self) -> list[StoredEvent]:
        return self.log.read(0, 10_000_000)

    def of_type(self, name: str) -> list[StoredEvent]:
        return [event for event in self.events() if event.type == name]

    def plain(self, token: str | None) -> str | None:
        return None if token is None else self.vault.decrypt(token)

    def streams(self) -> dict[str, list[Any]]:
        """Every stream by the command that began it, without what is random or the clock's: ids, tokens, recorded_at."""
        events = self.events()
        names = {event.stream_id: event.command_id for event in reversed(events) if event.version == 1}
        streams: dict[str, list[Any]] = {}
        for event in events:
            data = {key: self._told(value, names) for key, value in event.data.items()}
            told = (event.version, event.type, event.occurred_at, event.actor, event.source, event.command_id, event.irregular, data)
            streams.setdefault(names[event.stream_id], []).append(told)
        return streams

    def _told(self, value: object, names: Mapping[str, str]) -> object:
        if not isinstance(value, str):
            return value
        if value.startswith("~"):
            return self.plain(value)
        try:
            UUID(value)
        except ValueError:
            return value
        return names.get(value, "an id")

    def close(self) -> None:
        self._closing.close()


@dataclass
class History:
    """What two runs of each shipped mapping did, and the log they left."""

    books: Books
    first: dict[str, Summary] = field(default_factory=dict[str, Summary])
    second: dict[str, Summary] = field(default_factory=dict[str, Summary])

    @cached_property
    def events(self) -> list[StoredEvent]:
        return self.books.events()

    def events_of(self, mapping: str) -> list[StoredEvent]:
        return [event for event in self.events if event.source == f"import:{mapping}"]


def toml(text: str) -> str:
    return dedent(text)


def mapping(text: str) -> Plan:
    return parse_mapping(dedent(text), "test.toml")


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(dedent(text).lstrip("\n").encode() if isinstance(text, str) else text)
    return path
