"""The lookup store on SQLite and PostgreSQL: what goes in comes out, and readers get views with the folds' names."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from readmodels.layout import Column, Kind, Layout, Moved, State, Version
from readmodels.lookups import LookupStore

LAYOUT = Layout(
    "things",
    ("thing_id", "part"),
    (
        Column("thing_id", Kind.ID),
        Column("part", Kind.INTEGER),
        Column("mark__name", Kind.INTEGER, hidden=True),
        Column("name", Kind.TEXT),
        Column("worth", Kind.DECIMAL),
        Column("seen_at", Kind.INSTANT),
        Column("day", Kind.DATE),
        Column("fine", Kind.BOOLEAN),
        Column("tags", Kind.TEXTS),
    ),
    ("thing_id", "part", "name", "worth", "seen_at", "day", "fine", "tags"),
    (("name",), ("day", "worth")),
)
FULL = (
    "00000000-0000-0001-0000-000000000001",
    1,
    7,
    'O\'Neill "x" 中',
    12345,
    "0987-03-01T09:30:00.000001Z",
    "2026-02-28",
    True,
    ("é", 'a"b'),
)
EMPTY = ("00000000-0000-0001-0000-000000000001", 2, None, None, 0, None, None, None, None)
FIRST = Version("things", 1, State.BUILDING, "f", 0)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LookupStore]:
    if request.param == "sqlite":
        made = LookupStore.sqlite(tmp_path / "lookups.db", [LAYOUT])
    else:
        made = LookupStore.postgres(request.getfixturevalue("postgres_url"), [LAYOUT])
    with made.writing() as writer:
        writer.create(LAYOUT, FIRST)
        writer.serve(LAYOUT, 1)
    yield made
    made.close()


def stored(store: LookupStore) -> list[tuple[object, ...]]:
    with store.writing() as writer:
        return list(writer.rows(LAYOUT, 1, [(FULL[0], 1), (FULL[0], 2)]))


def test_canonical_cells_come_out_as_they_went_in(store: LookupStore) -> None:
    with store.writing() as writer:
        writer.write(LAYOUT, 1, [FULL, EMPTY])
    assert sorted(stored(store), key=lambda row: str(row[1])) == [FULL, EMPTY]


def test_a_row_with_the_same_key_is_replaced(store: LookupStore) -> None:
    for name in ("a", "b"):
        with store.writing() as writer:
            writer.write(LAYOUT, 1, [(*FULL[:3], name, *FULL[4:])])
    assert [row[3] for row in stored(store)] == ["b"]


def test_readers_get_decimals_and_no_marks(store: LookupStore) -> None:
    with store.writing() as writer:
        writer.write(LAYOUT, 1, [FULL, EMPTY])
    things = store.table("things")
    assert [column.name for column in things.columns] == list(LAYOUT.shown)
    with store.reading() as connection:
        row = connection.execute(select(things).where(things.c.worth > Decimal("1.2"))).one()
        assert (row.worth, row.seen_at, row.day, row.fine, row.tags) == (Decimal("1.2345"), FULL[5], "2026-02-28", True, ("é", 'a"b'))
        assert connection.execute(select(func.sum(things.c.worth))).scalar_one() == Decimal("1.2345")
        assert connection.execute(select(things.c.part).where(things.c.seen_at < "2026-01-01T00:00:00.000000Z")).scalars().all() == [1]


def test_a_readers_queries_all_see_the_same_state(store: LookupStore) -> None:
    things = store.table("things")
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(things)).scalar_one() == 0
        with store.writing() as writer:
            writer.write(LAYOUT, 1, [FULL])
        assert connection.execute(select(func.count()).select_from(things)).scalar_one() == 0


def test_the_view_shows_whichever_version_serves(store: LookupStore) -> None:
    with store.writing() as writer:
        writer.create(LAYOUT, Version("things", 2, State.BUILDING, "g", 5))
        writer.write(LAYOUT, 2, [FULL])
        writer.serve(LAYOUT, 2)
    with store.reading() as connection:
        assert connection.execute(select(store.table("things").c.name)).scalars().all() == [FULL[3]]
    assert [(version.number, version.state, version.position) for version in store.versions()] == [
        (1, State.KEPT, 0),
        (2, State.SERVING, 5),
    ]
    with store.writing() as writer:
        writer.drop("things", 1)
    assert [version.number for version in store.versions()] == [2]


def test_a_position_moves_only_from_where_it_was_read(store: LookupStore) -> None:
    with store.writing() as writer:
        writer.advance([FIRST], 10)
    with pytest.raises(Moved), store.writing() as writer:  # noqa: PT012 - the whole transaction is what must fail
        writer.write(LAYOUT, 1, [FULL])
        writer.advance([FIRST], 20)
    assert stored(store) == []
    assert [version.position for version in store.versions()] == [10]


def test_a_stopped_version_does_not_move_until_it_is_resumed(store: LookupStore) -> None:
    with store.writing() as writer:
        writer.stop(FIRST, 3, "why")
    assert [(version.error_position, version.error) for version in store.versions()] == [(3, "why")]
    with pytest.raises(Moved), store.writing() as writer:
        writer.advance([FIRST], 10)
    with store.writing() as writer:
        writer.resume("things", 1)
        writer.advance([FIRST], 10)


def test_many_keys_are_found_at_once(store: LookupStore) -> None:
    rows = [(f"00000000-0000-0001-0000-{number:012d}", 1, *FULL[2:]) for number in range(1_200)]
    with store.writing() as writer:
        writer.write(LAYOUT, 1, rows)
        assert sorted(writer.rows(LAYOUT, 1, [row[:2] for row in rows])) == rows
