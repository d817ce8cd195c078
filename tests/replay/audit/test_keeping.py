"""The tree keeps up with the log, in either database, whoever dies meanwhile; and stops where the log was altered."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bus.errors import LogUnavailable
from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.stored import open_stored
from replay.audit.errors import LogAltered
from replay.audit.findings import Kind
from replay.audit.hashing import compute
from replay.audit.keeping import Keeper, catch_up
from replay.audit.merkle import TILE, leaf_hash, over
from replay.audit.tree import Tree
from replay.audit.verification import Outside, verify
from tests.contracts.commits import stream_of
from tests.replay.audit.ledger import Ledger

BEGUN = """
import sys
from pathlib import Path
from bus.stored import open_stored
from replay.audit import keeping
from replay.audit.tree import Tree
keeping.STEP = 64
def told(done, all_of):
    sys.stdout.write("x"); sys.stdout.flush()
keeping.catch_up(Tree(Path(sys.argv[1])), open_stored(sys.argv[2]), told)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "log.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def log(place: str, tmp_path: Path) -> Iterator[Log]:
    with closing(open_vault(tmp_path / "keys.db", bytes(32))) as vault, closing(open_log(place, vault)) as opened:
        yield opened


def append(log: Log, *sizes: int) -> None:
    with log.transaction() as tx:
        tx.append([stream_of(size) for size in sizes])


def test_the_leaves_are_the_stored_texts_in_either_database(log: Log, place: str, tmp_path: Path) -> None:
    append(log, 2, 3)
    with closing(open_stored(place)) as stored, closing(Tree(tmp_path / "audit.db")) as tree:
        entries = stored.entries(0, 5)
        events = log.read(0, 5)
        assert [entry.decode().split("\n")[:4] for _, entry in entries] == [
            [str(event.position), event.stream_id, str(event.version), event.type] for event in events
        ]
        assert [entry.decode().split("\n")[4][7:43] for _, entry in entries] == [event.id for event in events]
        assert [text for (text,) in stored.texts(0, 5)] == [entry for _, entry in entries]
        assert list(stored.receipts()) == [[(0, 2), (2, 5)]]
        assert (stored.head(), stored.unbroken(2), stored.outside()) == (5, 5, [])
        assert stored.mentioning(events[3].stream_id) == [3, 4, 5]
        assert catch_up(tree, stored) == 5
        assert tree.root() == over(b"".join(leaf_hash(entry) for _, entry in entries))
    assert verify(place, tmp_path / "audit.db", Outside(keys=())).sound


def test_a_thread_hashes_what_is_recorded(log: Log, place: str, tmp_path: Path) -> None:
    append(log, 3)
    with closing(open_stored(place)) as stored, closing(Tree(tmp_path / "audit.db")) as tree:
        keeper = Keeper(tree, stored, log)
        keeper.start()
        append(log, 2, 2)
        until = time.monotonic() + 20
        while tree.size < 7 and time.monotonic() < until:
            time.sleep(0.02)
        keeper.stop()
        assert (tree.size, keeper.trouble) == (7, None)


def test_an_event_edited_in_postgresql_is_found_too(postgres_url: str, tmp_path: Path) -> None:
    import psycopg  # noqa: PLC0415 - what only this test does to a database

    with closing(open_vault(tmp_path / "keys.db", bytes(32))) as vault, closing(open_log(postgres_url, vault)) as opened:
        append(opened, *[1] * 600)
    with closing(open_stored(postgres_url)) as stored, closing(Tree(tmp_path / "audit.db")) as tree:
        catch_up(tree, stored)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE daybook.stored_events SET state = state || ' '::bytea WHERE position = 300")
        connection.execute("DELETE FROM daybook.stored_events WHERE position = 511")
    found = verify(postgres_url, tmp_path / "audit.db", Outside(keys=())).findings
    assert {(finding.kind, finding.first) for finding in found} == {(Kind.EDITED, 300), (Kind.MISSING, 511)}


def test_who_is_killed_while_hashing_leaves_a_tree_that_goes_on(ledger: Ledger, size: int) -> None:
    expected = ledger.verify(outside=False).root
    ledger.tree.unlink()
    while True:
        with subprocess.Popen([sys.executable, "-c", BEGUN, ledger.tree, ledger.log], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(3)
            process.kill()
        with closing(Tree(ledger.tree)) as tree:
            reached = tree.size
            if reached:
                assert ledger.verify().sound
            if reached == size:
                break
    with closing(Tree(ledger.tree)) as tree, closing(open_stored(ledger.log)) as stored:
        assert catch_up(tree, stored) == size
    assert ledger.verify(outside=False).root == expected


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM stored_events WHERE position > 2000",
        "UPDATE stored_events SET state = '{}' WHERE position = (SELECT MAX(position) FROM stored_events)",
        "INSERT INTO stored_events SELECT position + 2, originator_id, 999, topic, state FROM stored_events ORDER BY position DESC LIMIT 1",
    ],
)
def test_nothing_is_hashed_onto_a_log_that_was_altered(ledger: Ledger, statement: str) -> None:
    ledger.sql(statement)
    with closing(Tree(ledger.tree)) as tree, closing(open_stored(ledger.log)) as stored, pytest.raises(LogAltered) as altered:
        catch_up(tree, stored)
    assert altered.value.code == "audit.log_altered"


def test_processes_hash_to_the_same_tree(ledger: Ledger, size: int) -> None:
    seen: dict[int, bytes] = {}
    there = compute(ledger.log, size, {size, 700}, seen.__setitem__, worth_processes=0)
    here = compute(ledger.log, size, {size, 700}, lambda *_: None)
    assert (there.root(size), there.root(700)) == (here.root(size), here.root(700))
    assert sorted(seen) == list(range(-(-size // TILE)))


def test_a_process_that_cannot_read_the_log_is_told(ledger: Ledger, size: int) -> None:
    with pytest.raises(LogUnavailable):
        compute(str(ledger.folder / "nothing.db"), size, {size}, lambda *_: None, worth_processes=0)
