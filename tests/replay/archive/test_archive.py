"""Settled events as files: what is in them, what is noticed, and what is written anew."""

import logging
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalogue import EVENTS
from domain.envelope import StoredEvent
from projections.archive import filed, fingerprint
from projections.bulk import by_type
from projections.history import History
from projections.shapes import ENVELOPE, shape
from projections.sql import relation_of, typed
from projections.values import Envelope, Field, Value
from projections.versions import start
from replay.archive.archive import Archive, Trouble
from replay.archive.keeping import Keeper
from replay.rebuild import verify
from tests.conftest import SOAK
from tests.projections.feed import MemoryFeed, wild_history
from tests.projections.tables import cells, contents, engines

TYPES = tuple(event.type for event in EVENTS)
EVERYTHING: dict[str, set[Value]] = {
    event.type: {Envelope(name) for name in ENVELOPE} | {Field(name) for name in shape(event)} for event in EVENTS
}


def written(folder: Path, feed: MemoryFeed, *, segment: int = 100, short: int = 30) -> Archive:
    archive = Archive(folder, feed, segment=segment, short=short)
    list(archive.keep_up(short=True))
    return archive


def troubles(archive: Archive) -> list[tuple[str | None, str]]:
    return [(trouble.file, trouble.why) for trouble in archive.standing().troubles]


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(wild_history(7, 250))


@pytest.mark.parametrize("seed", range(3))
def test_files_hold_what_the_folds_would_read_from_the_log(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = wild_history(seed, 600)
    feed = MemoryFeed(events)
    monkeypatch.setattr("replay.archive.writing.STEP", 64)
    archive = written(tmp_path / "archive", feed, segment=600)
    with archive.reading(600, TYPES) as (stretch,), duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        stored = dict(by_type(feed.arrow(0, 600).read_all()))
        assert stretch.files.keys() == stored.keys()
        assert not stretch.unfiled
        for event in EVENTS:
            if event.type in stored:
                connection.register("stored", stored[event.type])
                from_log = connection.sql(typed(event, EVERYTHING[event.type], "stored")).order("position")
                from_file = connection.sql(filed(EVERYTHING[event.type], [stretch.files[event.type]])).order("position")
                names = from_log.columns
                assert from_file.project(*names).fetchall() == from_log.fetchall()
                assert from_file.project(*names).types == from_log.types
                positions = pq.read_table(stretch.files[event.type], columns=["position"]).column("position").to_pylist()
                assert positions == sorted(positions)


def test_segments_follow_each_other_and_a_whole_one_takes_the_place_of_short_ones(tmp_path: Path) -> None:
    history = wild_history(1, 250)
    feed = MemoryFeed(history[:70])
    archive = Archive(tmp_path / "archive", feed, segment=100, short=30)
    assert [(each.after, each.upto) for each in archive.keep_up()] == [(0, 70)]
    feed.add(history[70:90])
    assert not archive.behind()
    assert [(each.after, each.upto) for each in archive.keep_up(short=True)] == [(70, 90)]
    feed.add(history[90:])
    assert [(each.after, each.upto) for each in archive.keep_up()] == [(0, 100), (100, 200), (200, 250)]
    names = {path.name for path in (tmp_path / "archive").glob("*/*.parquet")}
    assert names == {"000000000001-000000000100.parquet", "000000000101-000000000200.parquet", "000000000201-000000000250.parquet"}
    standing = archive.standing()
    assert (standing.position, standing.events, standing.segments, standing.troubles) == (250, 250, 3, ())


def test_files_that_are_read_stay_until_they_are_read(tmp_path: Path, feed: MemoryFeed) -> None:
    history = feed.events
    feed.events = history[:40]
    archive = written(tmp_path / "archive", feed)
    with archive.reading(40, TYPES) as (stretch,):
        feed.add(history[40:])
        list(archive.keep_up())
        assert all(path.exists() for path in stretch.files.values())
    assert not any(path.exists() for path in stretch.files.values())


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "of another type"])
def test_a_file_that_is_not_what_was_written_is_named_and_read_from_the_log(
    tmp_path: Path, feed: MemoryFeed, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "archive"
    written(folder, feed)
    harmed = sorted(folder.glob("*/000000000101-*.parquet"))[3]
    content = harmed.read_bytes()
    match harm:
        case "flip":
            harmed.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
        case "cut":
            harmed.write_bytes(content[:-10])
        case "remove":
            harmed.unlink()
        case _:
            harmed.write_bytes(sorted(folder.glob("*/000000000101-*.parquet"))[4].read_bytes())
    archive = Archive(folder, feed, segment=100)
    name = str(harmed.relative_to(folder))
    with engines(feed) as here, engines(feed) as there, caplog.at_level(logging.WARNING):
        start(feed, here)
        start(feed, there, archive=archive)
        assert [contents(engine) for engine in there] == [contents(engine) for engine in here]
    assert troubles(archive) == [(name, "is missing" if harm == "remove" else "is damaged")]
    assert [name in message for message in caplog.messages] == [True]
    assert [(each.after, each.files) for each in archive.keep_up()] == [(100, 1)]
    assert harmed.read_bytes() == content
    assert not archive.verify()


def test_a_change_while_it_is_open_is_noticed_too(tmp_path: Path, feed: MemoryFeed) -> None:
    archive = written(tmp_path / "archive", feed)
    with archive.reading(250, TYPES) as stretches:
        file = next(iter(stretches[0].files.values()))
    content = bytearray(file.read_bytes())
    content[50] ^= 255
    file.write_bytes(content)
    with archive.reading(250, TYPES) as stretches:
        assert file not in stretches[0].files.values()


def test_the_archive_of_another_log_is_not_used_and_written_anew(tmp_path: Path, feed: MemoryFeed) -> None:
    written(tmp_path / "archive", feed)
    other = MemoryFeed([*wild_history(8, 100), *wild_history(9, 200, after=100)])
    for event in other.events:
        object.__setattr__(event, "id", event.id[:-1] + "8")
    archive = Archive(tmp_path / "archive", other, segment=100, short=30)
    assert troubles(archive) == [(None, "is of another log, or of another time of this one")] * 3
    with archive.reading(300, TYPES) as stretches:
        assert not any(stretch.files for stretch in stretches)
    list(archive.keep_up())
    with engines(other) as here, engines(other) as there:
        start(other, here)
        start(other, there, archive=archive)
        assert [contents(engine) for engine in there] == [contents(engine) for engine in here]
    assert not archive.standing().troubles


def test_what_a_log_that_was_restored_from_a_backup_does_not_hold_is_not_used(tmp_path: Path, feed: MemoryFeed) -> None:
    written(tmp_path / "archive", feed)
    feed.events = feed.events[:150]
    archive = Archive(tmp_path / "archive", feed, segment=100, short=30)
    assert [trouble.after for trouble in archive.standing().troubles] == [100, 200]
    with archive.reading(150, TYPES) as stretches:
        assert [bool(stretch.files) for stretch in stretches] == [True, False]
    assert [(each.after, each.upto) for each in archive.keep_up()] == [(100, 150)]
    assert not archive.standing().troubles


def test_files_of_an_older_shape_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = EVENTS[0].type
    feed = MemoryFeed(wild_history(7, 250, events=EVENTS[:4]))
    with monkeypatch.context() as older:
        older.setattr("replay.archive.writing.fingerprint", lambda event: "older" if event.type == changed else fingerprint(event))
        list(Archive(tmp_path / "archive", feed, segment=100).keep_up(short=True))
    archive = Archive(tmp_path / "archive", feed, segment=100)
    with archive.reading(250, TYPES) as stretches:
        assert {stretch.unfiled for stretch in stretches} == {frozenset({changed})}
        assert [len(stretch.files) for stretch in stretches] == [3, 3, 3]
    assert {(trouble.why) for trouble in archive.standing().troubles} == {"is of an older shape of its events"}
    assert [each.files for each in archive.keep_up()] == [1, 1, 1]
    with archive.reading(250, TYPES) as stretches:
        assert [len(stretch.files) for stretch in stretches] == [4, 4, 4]


def test_an_event_that_is_not_of_its_shape_stays_in_the_log_alone(tmp_path: Path) -> None:
    history = wild_history(3, 300)
    bad = next(event for event in history if event.type == "survey.answered")
    history[history.index(bad)] = _with(bad, score="many")
    feed = MemoryFeed(history)
    archive = written(tmp_path / "archive", feed, segment=300)
    with archive.reading(300, TYPES) as (stretch,):
        assert stretch.unfiled == {"survey.answered"}
        assert "survey.answered" not in stretch.files
        assert len(stretch.files) > 10


def _with(event: StoredEvent, **data: object) -> StoredEvent:
    values = {name: getattr(event, name) for name in event.__slots__}
    return StoredEvent(**{**values, "data": {**event.data, **data}})


def test_a_field_that_is_left_out_is_an_error_in_files_as_it_is_in_folds(tmp_path: Path) -> None:
    history = wild_history(3, 300)
    bad = next(event for event in history if event.type == "opportunity.opened")
    values = {name: getattr(bad, name) for name in bad.__slots__}
    history[history.index(bad)] = StoredEvent(**{**values, "data": {name: v for name, v in bad.data.items() if name != "lead_source"}})
    archive = written(tmp_path / "archive", MemoryFeed(history), segment=300)
    with archive.reading(300, TYPES) as (stretch,):
        assert stretch.unfiled == {"opportunity.opened"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format":1,"segments":[{}]}', b'{"format":99,"segments":[]}'])
def test_a_manifest_that_cannot_be_read_begins_a_new_archive(tmp_path: Path, feed: MemoryFeed, content: bytes) -> None:
    folder = tmp_path / "archive"
    written(folder, feed)
    (folder / "manifest.json").write_bytes(content)
    archive = Archive(folder, feed, segment=100)
    assert archive.position == 0
    list(archive.keep_up(short=True))
    assert not archive.verify()


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path, feed: MemoryFeed) -> None:
    folder = tmp_path / "archive"
    before = written(folder, feed).standing()
    (folder / "survey.answered" / "000000000251-000000000300.tmp").write_bytes(b"half")
    (folder / "survey.answered" / "000000000251-000000000300.parquet").write_bytes(b"whole, but in no manifest")
    (folder / "manifest.json.tmp").write_bytes(b"{")
    assert Archive(folder, feed, segment=100).standing() == before
    assert not list(folder.glob("**/*.tmp"))
    assert not list(folder.glob("*/*-000000000300.parquet"))


@given(st.integers(0, 2**32), st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(10, 80), st.integers(5, 40))
@settings(max_examples=60 if SOAK else 4, deadline=None)
def test_folding_from_archive_and_tail_equals_live(
    tmp_path_factory: pytest.TempPathFactory, seed: int, steps: Sequence[int], segment: int, short: int
) -> None:
    history = wild_history(seed, sum(steps))
    feed = MemoryFeed()
    with engines(feed) as live, engines(feed) as rebuilt:
        start(feed, live)
        archive = Archive(tmp_path_factory.mktemp("wild") / "archive", feed, segment=segment, short=short)
        for place, step in enumerate(steps):
            feed.add(history[sum(steps[:place]) : sum(steps[:place]) + step])
            for engine in live:
                engine.catch_up()
            list(archive.keep_up())
        start(feed, rebuilt, archive=archive)
        assert [contents(engine) for engine in rebuilt] == [contents(engine) for engine in live]
        assert {each.rows_apart for each in verify(feed, live, archive=archive)} == {0}


@pytest.mark.parametrize("worth_a_process", [0, 10**9])
def test_postgresql_is_filled_from_the_archive_as_sqlite_is(
    tmp_path: Path, feed: MemoryFeed, postgres_url: str, worth_a_process: int
) -> None:
    archive = written(tmp_path / "archive", feed)
    with (
        engines(feed) as here,
        engines(feed, lookups_url=postgres_url) as there,
        engines(feed, worth_a_process=worth_a_process) as beside,
    ):
        start(feed, here)
        start(feed, there, archive=archive)
        start(feed, beside, archive=archive)
        assert [contents(engine) for engine in beside] == [contents(engine) for engine in here]
        for fold in here[0].plans:
            assert cells(here[0], fold) == cells(there[0], fold)
        assert {each.rows_apart for each in verify(feed, there, archive=archive)} == {0}


@pytest.mark.parametrize("upto", [1, 99, 100, 170, 250])
def test_the_past_is_asked_from_files_and_memory_as_from_the_log(tmp_path: Path, feed: MemoryFeed, upto: int) -> None:
    feed.events, rest = feed.events[:230], feed.events[230:]
    archive = written(tmp_path / "archive", feed)
    used = {event: EVERYTHING[event.type] for event in EVENTS}
    with_archive, from_log = History(feed, archive), History(feed)
    feed.add(rest)
    moment = feed.events[120].recorded_at.removesuffix("Z")
    for only in (None, f"e_recorded_at <= '{moment}'::TIMESTAMP"):
        with duckdb.connect() as one, duckdb.connect() as other:
            for connection in (one, other):
                connection.execute("SET TimeZone = 'UTC'")
            with (
                with_archive.relations(one, used, upto=upto, only=only) as here,
                from_log.relations(other, used, upto=upto, only=only) as there,
            ):
                for event_type in there | here:
                    rows = [
                        _rows(connection, event_type) if event_type in types else [] for connection, types in ((one, here), (other, there))
                    ]
                    assert rows[0] == rows[1]
            assert one.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone() == (0,)


def _rows(connection: duckdb.DuckDBPyConnection, event_type: str) -> list[tuple[object, ...]]:
    found = connection.sql(f"FROM {relation_of(event_type)}")
    return found.project(*sorted(name for name in found.columns if name not in ("e_stream_id", "e_version"))).order("position").fetchall()


def test_troubles_are_sentences(tmp_path: Path, feed: MemoryFeed) -> None:
    assert str(Trouble(0, 100, "a/b.parquet", "is missing")) == "archive: a/b.parquet is missing"
    assert str(Trouble(0, 100, None, "is of another log")) == "archive: the segment after position 0 up to 100 is of another log"
    assert written(tmp_path / "archive", feed).failure is None


def test_a_keeper_follows_the_log_by_itself_and_ends_when_told(tmp_path: Path, feed: MemoryFeed) -> None:
    archive = Archive(tmp_path / "archive", feed, segment=100, short=30)
    keeper = Keeper(archive, look=0.01)
    keeper.start()
    deadline = monotonic() + 60
    while archive.position < 250 and monotonic() < deadline:
        sleep(0.01)
    keeper.stop()
    assert (archive.position, archive.failure, archive.verify()) == (250, None, [])
