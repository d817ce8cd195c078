"""What readers rely on in a log: every event once, in order, as soon as it is there, whoever writes."""

import random
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from bus import bulk
from bus.envelopes import Count, Envelopes
from bus.log import Log
from bus.vault import master_key
from domain.commit import Commit
from domain.envelope import StoredEvent
from tests.contracts.commits import NOON, commit, contact, renamed, stream_of
from tests.contracts.conftest import Storage

WRITERS = 16


def write(log: Log, *commits: Commit) -> None:
    with log.transaction() as tx:
        tx.append(commits)


def follow(log: Log, *, until: Flag, page: int) -> list[StoredEvent]:
    """Tails the log from its beginning until told to stop and nothing is left."""
    seen: list[StoredEvent] = []
    while True:
        last_round = until.is_set()
        events = log.read(seen[-1].position if seen else 0, page)
        seen += events
        if not events and last_round:
            return seen
        if not events:
            log.wait(seen[-1].position if seen else 0, 0.05)


def appender(storage: Storage, root: Path, *, commits: int, events: int) -> "subprocess.Popen[str]":
    arguments = [storage.log_place, storage.keys_place, str(storage.master), str(commits), str(events)]
    return subprocess.Popen([sys.executable, "-m", "tests.contracts.appender", *arguments], cwd=root, stdout=subprocess.PIPE, text=True)


def whole(events: Iterable[StoredEvent]) -> None:
    """Positions without a gap, and each stream's versions in their order."""
    versions: dict[str, int] = {}
    for position, event in enumerate(events, 1):
        assert event.position == position
        assert event.version == versions.get(event.stream_id, 0) + 1
        versions[event.stream_id] = event.version


def test_an_event_is_read_with_its_envelope_and_canonical_values(log: Log) -> None:
    contact_id = uuid7()
    each = commit(contact(contact_id), at=NOON.replace(microsecond=120))
    write(log, each)
    [event] = log.read(0, 10)
    assert (event.position, event.stream_id, event.version, event.type) == (1, str(contact_id), 1, "contact.added")
    assert (event.occurred_at, event.recorded_at) == ("2026-02-28T12:00:00.000120Z", "2026-03-01T12:00:00.000120Z")
    assert (event.id, event.actor, event.source, event.command_id) == (str(each.events[0].id), "user:test", "api", each.command_id)
    assert (event.correlation_id, event.causation_id, event.irregular) == (None, None, ())
    assert event.data["contact_id"] == str(contact_id)
    assert event.data["name"].startswith("~name~")
    assert event.data["phone"] is None


def test_pages_follow_one_another_without_gap_or_overlap(log: Log) -> None:
    write(log, *(stream_of(3) for _ in range(10)))
    positions: list[int] = []
    while page := log.read(positions[-1] if positions else 0, 7):
        positions += [event.position for event in page]
    assert positions == list(range(1, 31))
    assert log.head() == 30
    assert log.read(30, 10) == []


def test_a_stream_is_read_in_its_order(log: Log) -> None:
    first, second = stream_of(3), stream_of(2)
    write(log, first, second, commit(renamed(first.stream_id, 9), after=3))
    assert [event.version for event in log.read_stream(first.stream_id)] == [1, 2, 3, 4]
    assert [event.position for event in log.read_stream(first.stream_id)] == [1, 2, 3, 6]
    assert log.read_stream(uuid4()) == []


def test_events_are_read_at_their_positions_in_the_order_asked(log: Log) -> None:
    write(log, stream_of(5))
    assert [event.position for event in log.read_at([4, 1, 4])] == [4, 1, 4]
    assert log.read_at([2]) == log.read(1, 1)
    assert log.read_at([]) == []


def test_arrow_batches_hold_the_same_events(log: Log) -> None:
    write(log, *(stream_of(1) for _ in range(5000)), commit(contact(uuid7(), name="Ødegård 東京")))
    table = log.arrow(10, 5001).read_all()
    events = log.read(10, 10_000)
    assert table.schema.names == ["position", "stream_id", "version", "type", "state"]
    assert table["position"].to_pylist() == [event.position for event in events] == list(range(11, 5002))
    assert table["stream_id"].to_pylist() == [event.stream_id for event in events]
    assert table["version"].to_pylist() == [event.version for event in events]
    assert table["type"].to_pylist() == [event.type for event in events]
    assert all(event.id in state for event, state in zip(events, table["state"].to_pylist(), strict=True))


def test_arrow_stops_where_it_is_told_to(log: Log) -> None:
    write(log, stream_of(10))
    assert log.arrow(2, 5).read_all()["position"].to_pylist() == [3, 4, 5]
    assert log.arrow(5, 5).read_all().num_rows == 0
    assert log.arrow(8, 100).read_all()["position"].to_pylist() == [9, 10]


def test_long_ranges_are_read_the_same_whatever_way_they_take(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, *(stream_of(3) for _ in range(4000)), commit(contact(uuid7(), name="Ødegård 東京")))
    short = log.arrow(1000, 12_001).read_all()
    monkeypatch.setattr(bulk, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(bulk, "WORTH_A_CONNECTION", 1)
    long = log.arrow(1000, 12_001).read_all()
    assert long == short
    assert long.schema == short.schema
    assert log.arrow(0, 1_000_000).read_all().num_rows == 12_001
    assert log.arrow(12_001, 12_001).read_all().num_rows == 0


def test_a_long_range_may_be_left_half_read(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, *(stream_of(3) for _ in range(10_000)))
    monkeypatch.setattr(bulk, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(bulk, "WORTH_A_CONNECTION", 1)
    reader = log.arrow(0, 30_000)
    assert reader.read_next_batch().num_rows > 0
    reader.close()
    del reader
    write(log, stream_of(1))
    assert log.head() == 30_001


def test_a_long_range_is_read_while_others_write(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(bulk, "WORTH_A_CONNECTION", 1)
    write(log, stream_of(5000))
    done = Flag()

    def keep_writing() -> int:
        written = 0
        while not done.is_set():
            write(log, stream_of(20))
            written += 20
        return written

    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(keep_writing)
        for _ in range(3):
            head = log.head()
            assert log.arrow(0, head).read_all()["position"].to_pylist() == list(range(1, head + 1))
        done.set()
        written = writer.result()
    whole(log.read(0, 1_000_000))
    assert log.head() == 5000 + written


def test_waiting_ends_at_once_when_this_process_appends(log: Log) -> None:
    assert log.wait(0, 0.01) is False
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(log.wait, 0, 30)
        time.sleep(0.1)
        write(log, stream_of(1))
        assert waiting.result(timeout=5) is True
    assert log.wait(0, 0) is True
    assert log.wait(1, 0) is False


def test_waiting_ends_soon_when_another_process_appends(storage: Storage) -> None:
    ours, theirs = storage.open(), storage.open()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ours.wait, 0, 30)
        time.sleep(0.1)
        write(theirs, stream_of(1))
        assert waiting.result(timeout=5) is True


def test_closing_the_log_ends_the_waiting(storage: Storage) -> None:
    log = storage.open()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(log.wait, 0, 60)
        time.sleep(0.05)
        log.close()
        assert waiting.result(timeout=5) is False


@pytest.mark.timeout(900)
def test_tailing_under_sixteen_writers_skips_nothing_and_repeats_nothing(storage: Storage) -> None:
    total = 100_000
    # Four logs on one storage, as four processes would have; each with four writing threads.
    vault = storage.vault()
    logs = [storage.open(vault) for _ in range(4)]
    done = Flag()

    def write_much(number: int) -> list[UUID]:
        chance = random.Random(number)
        written: list[UUID] = []
        while len(written) < total // WRITERS:
            commits = [stream_of(chance.randint(1, 12)) for _ in range(chance.randint(1, 3))]
            write(logs[number % len(logs)], *commits)
            written += [event.id for each in commits for event in each.events]
        return written

    with ThreadPoolExecutor(WRITERS + 2) as pool:
        tails = [pool.submit(follow, log, until=done, page=page) for log, page in ((logs[0], 500), (storage.open(vault), 37))]
        writers = [pool.submit(write_much, number) for number in range(WRITERS)]
        ids = {str(event_id) for writer in writers for event_id in writer.result()}
        done.set()
        for tail in tails:
            events = tail.result()
            whole(events)
            assert len(events) == len(ids) >= total
            assert {event.id for event in events} == ids


def test_many_may_begin_a_log_at_the_same_time(storage: Storage) -> None:
    master_key(storage.master)
    with ThreadPoolExecutor(8) as pool:
        logs = list(pool.map(lambda _: storage.open(), range(8)))
    for log in logs:
        write(log, stream_of(1))
    assert [log.head() for log in logs] == [8] * 8


def test_two_processes_append_to_one_log(storage: Storage, root: Path) -> None:
    log = storage.open()
    done = Flag()
    with ThreadPoolExecutor(1) as pool:
        tail = pool.submit(follow, log, until=done, page=100)
        others = [appender(storage, root, commits=150, events=3) for _ in range(2)]
        for _ in range(150):
            write(log, stream_of(3))
        acknowledged = [line.strip() for other in others for line in other.communicate(timeout=120)[0].splitlines()]
        done.set()
        events = tail.result()
    assert [other.returncode for other in others] == [0, 0]
    assert len(set(acknowledged)) == 300
    whole(events)
    assert len(events) == 3 * 450
    assert set(acknowledged) <= {event.command_id for event in events}


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.21])
def test_a_killed_writer_loses_nothing_acknowledged_and_leaves_nothing_half_done(storage: Storage, root: Path, delay: float) -> None:
    writer = appender(storage, root, commits=100_000, events=7)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(20)]
    time.sleep(delay)
    writer.kill()
    acknowledged += [line.strip() for line in writer.communicate(timeout=30)[0].splitlines(keepends=True) if line.endswith("\n")]
    log = storage.open()
    events = log.read(0, 10_000_000)
    whole(events)
    commands: dict[str, list[StoredEvent]] = {}
    for event in events:
        commands.setdefault(event.command_id, []).append(event)
    assert set(acknowledged) <= set(commands)
    assert len(commands) <= len(acknowledged) + 1
    assert {len(written) for written in commands.values()} == {7}
    vault = storage.vault()
    assert {vault.decrypt(event.data["name"]) for event in events} == {"Ada Lovelace"}
    with log.transaction() as tx:
        receipts = tx.receipts(list(commands))
        assert {key: [str(event_id) for event_id in receipt.event_ids] for key, receipt in receipts.items()} == {
            key: [event.id for event in written] for key, written in commands.items()
        }
    write(log, stream_of(2))
    whole(log.read(0, 10_000_000))


def test_readers_do_not_wait_for_a_writer(log: Log) -> None:
    write(log, stream_of(3))
    inside, leave = Flag(), Flag()

    def hold() -> None:
        with log.transaction() as tx:
            tx.append([stream_of(2)])
            inside.set()
            leave.wait(30)

    writer = Thread(target=hold)
    writer.start()
    try:
        assert inside.wait(10)
        started = time.monotonic()
        assert log.head() == 3
        assert len(log.read(0, 10)) == 3
        assert time.monotonic() - started < 5
    finally:
        leave.set()
        writer.join()
    assert log.head() == 5


def test_events_are_chosen_by_type_and_by_what_they_mention(log: Log) -> None:
    first, second = uuid7(), uuid7()
    write(log, commit(contact(first)), commit(contact(second)), commit(renamed(first), after=1))
    kinds = [event.type for event in log.read(0, 10)]
    assert [event.position for event in log.choose(0, 10, 10)] == [1, 2, 3]
    assert [event.position for event in log.choose(0, 2, 10)] == [1, 2]
    assert [event.position for event in log.choose(1, 3, 1)] == [2]
    assert [event.position for event in log.choose(0, 10, 10, types=[kinds[2]])] == [
        p for p, kind in enumerate(kinds, 1) if kind == kinds[2]
    ]
    assert [event.position for event in log.choose(0, 10, 10, mentioning=str(first))] == [1, 3]
    assert [event.position for event in log.choose(0, 10, 10, types=["contact.left"], mentioning=str(first))] == []


def test_events_are_chosen_and_counted_by_what_their_envelopes_say(log: Log) -> None:
    write(log, commit(contact(uuid7())), commit(contact(uuid7())), commit(contact(uuid7())))
    first, second, third = log.read(0, 10)

    def chosen(envelopes: Envelopes) -> list[int]:
        found = [event.position for event in log.choose(0, 10, 10, envelopes=envelopes)]
        assert sum(count.events for count in log.count(10, envelopes=envelopes)) == len(found)
        return found

    assert chosen(Envelopes({"actor": first.actor, "source": first.source})) == [1, 2, 3]
    assert chosen(Envelopes({"actor": first.actor + "x"})) == []
    assert chosen(Envelopes(times={"recorded_at": (second.recorded_at, None)})) == [
        event.position for event in (first, second, third) if event.recorded_at >= second.recorded_at
    ]
    assert chosen(Envelopes(times={"occurred_at": (None, first.occurred_at)})) == []
    assert chosen(Envelopes(times={"occurred_at": (first.occurred_at, "9999")})) == [1, 2, 3]
    assert log.count(2) == [Count(first.actor, first.source, first.type, 2)]
    assert log.count(3, types=["contact.left"]) == []


def test_several_streams_are_read_up_to_a_position(log: Log) -> None:
    first, second, third = uuid7(), uuid7(), uuid7()
    write(
        log,
        commit(contact(first)),
        commit(contact(second)),
        commit(contact(third)),
        commit(renamed(first), after=1),
        commit(renamed(first), after=2),
    )
    found = log.read_streams([str(first), str(second), str(uuid4())], 4)
    assert sorted((event.stream_id, event.version) for event in found) == sorted([(str(first), 1), (str(first), 2), (str(second), 1)])
    assert [event.version for event in found if event.stream_id == str(first)] == [1, 2]
