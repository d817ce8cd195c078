"""Lookups in PostgreSQL that workers fold: how far they are, and whether they are row for row what one process makes of the same log by itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from projections.catalogue import FOLDS
from projections.engine import Engine
from projections.feed import Feed
from projections.fold import Home
from projections.homes import LookupTables
from projections.plan import plans
from projections.versions import start
from readmodels.layout import State, Version
from readmodels.lookup_statements import physical
from readmodels.lookups import LookupStore
from tests.projections.feed import MemoryFeed


class Lookups:
    """Looks at them from outside."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def serving(self) -> list[Version]:
        """What is registered of each table that serves."""
        return [version for version in self.engine.tables.versions() if version.state is State.SERVING]

    def position(self) -> int:
        """Up to which event all folds are, stopped ones too; 0 while nothing can be said."""
        with suppress(*self.engine.tables.outages):
            return min((version.position for version in self.serving()), default=0)
        return 0

    def misplaced(self, upto: int, partitions: int) -> list[str]:
        """The tables whose partitions are not all at a position, or that were folded as a whole instead."""
        return [
            f"{version.fold}: base {version.base}, partitions {version.partitions}"
            for version in self.serving()
            if version.base or len(version.partitions) != partitions or set(version.partitions) != {upto} or version.error
        ]

    def unlike_embedded(self, log: Feed) -> tuple[int, list[str]]:
        """How many rows an embedded rebuild of a log has in all its lookups, and the folds whose rows here are others, with how many."""
        apart: list[str] = []
        with TemporaryDirectory() as folder, _opened(LookupStore.sqlite(Path(folder) / "lookups.db", _layouts()), log) as embedded:
            start(log, [embedded])
            count = 0
            for fold in sorted(self.engine.plans):
                here, there = _rows(self.engine, fold), _rows(embedded, fold)
                count += there.total()
                if here != there:
                    apart.append(f"{fold}: {(here - there).total()} rows only here, {(there - here).total()} only in the rebuild")
        return count, apart


@contextmanager
def lookups(url: str) -> Iterator[Lookups]:
    """Those in a PostgreSQL database; their register is made where it is missing, as any worker would."""
    with _opened(LookupStore.postgres(url, _layouts()), MemoryFeed()) as engine:
        yield Lookups(engine)


@contextmanager
def _opened(store: LookupStore, feed: Feed) -> Iterator[Engine]:
    try:
        yield Engine(LookupTables(store, shared=store.dialect == "postgresql"), FOLDS, feed)
    finally:
        store.close()


def _layouts() -> list[Any]:
    return [plan.layout_in(Home.LOOKUPS) for plan in plans(FOLDS, Home.LOOKUPS)]


def _rows(engine: Engine, fold: str) -> Counter[bytes]:
    """Every row of the serving version, hidden columns too, as a hash of its canonical cells."""
    assert isinstance(engine.tables, LookupTables)
    (version,) = (version for version in engine.tables.versions() if version.fold == fold and version.state is State.SERVING)
    layout = engine.plans[fold].layout_in(Home.LOOKUPS)
    found: Counter[bytes] = Counter()
    with engine.tables.store.reading() as connection:
        for row in connection.execution_options(yield_per=10_000).execute(select(physical(layout, version.number))):
            plain = tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row)
            found[blake2b(repr(plain).encode(), digest_size=16).digest()] += 1
    return found
