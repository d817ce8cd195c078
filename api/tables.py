"""The read models of one process: their stores, the engines that move them on, and what may be done with their versions."""

import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Any, Final

import duckdb

from api.problems import Unavailable
from api.settings import InvalidSettings
from bus.network import patient
from domain.errors import NotFound, RuleViolation
from projections import versions
from projections.archive import Archive
from projections.build import BuildFailed, Checked, Progress
from projections.catalogue import FOLDS, layouts
from projections.engine import Engine, FoldHealth
from projections.feed import Feed
from projections.fold import Home
from projections.follower import Follower
from projections.homes import FactTables, LookupTables
from projections.watcher import Watcher
from projections.watching import UNWATCHED, Watch
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore
from replay.rebuild import Rebuilt, rebuild, verify

log = logging.getLogger(__name__)

GATHER: Final[Mapping[Home, float]] = {Home.LOOKUPS: 0.0, Home.FACTS: 1.0}
"""Seconds that events gather before a batch: a lookup is wanted at once, facts are quicker in larger batches (and come at once
to a reader who asks with `at_least=`)."""

OUTAGES: Final = (*LookupTables.outages, *FactTables.outages, duckdb.TransactionException, duckdb.FatalException)
"""What the stores raise when they cannot be written, whoever asks; DuckDB tells of a commit that found no room by a TransactionException."""


@dataclass(frozen=True, slots=True)
class Building:
    """A build that is going on."""

    folds: tuple[str, ...]
    done: int
    total: int
    """Events."""
    seconds: float

    @property
    def events_per_second(self) -> float:
        """How fast it has been so far."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long folding will take yet if it goes on like that; comparing and switching over come after it."""
        return (self.total - self.done) / self.events_per_second if self.done else None


@dataclass(slots=True)
class Tables:
    """The read models. `following` are the threads that keep them up to date, none in a command that runs and ends."""

    feed: Feed
    lookups: LookupStore
    facts: FactStore
    engines: Mapping[Home, Engine]
    following: Mapping[Home, Follower | Watcher]
    archive: Archive | None = None
    """Files of settled events that folding reads instead of the log."""
    building: Building | None = None
    """How far a build has come, while there is one."""
    differences: tuple[Checked, ...] = ()
    """Where the last rebuild found that what served was not what the log says."""
    trouble: str | None = None
    """Why stale folds could not be rebuilt."""
    _build: Lock = field(default_factory=Lock)

    def reach(self, position: int, homes: Iterable[Home], timeout: float) -> bool:
        """Whether the tables of `homes` hold everything up to `position`, at the latest after `timeout` seconds."""
        for home in homes:
            if home in self.following:
                if not self.following[home].wait_for(position, timeout):
                    return False
            else:
                self.engines[home].catch_up()
        return True

    def health(self) -> list[FoldHealth]:
        """Every version of every fold in both homes."""
        return [health for engine in self.engines.values() for health in engine.health()]

    def troubles(self, health: Sequence[FoldHealth] | None = None) -> list[str]:
        """What keeps read models from being up to date, one sentence each; by their `health`, where it is known already."""
        stopped = (
            f"{each.fold} in the {each.home} stopped at position {each.error_position}: {each.error}"
            for each in (self.health() if health is None else health)
            if each.error
        )
        outages = (f"the {home} cannot be written: {follower.trouble}" for home, follower in self.following.items() if follower.trouble)
        return [*stopped, *outages, *([self.trouble] if self.trouble else [])]

    def rebuild(self, folds: Sequence[str] | None = None, progress: Progress | None = None) -> list[Rebuilt]:
        """Fold the named folds (all, unless said) from the beginning beside what serves, compare them, and switch over.

        Raises NotFound `fold.unknown` or RuleViolation `rebuild.running`; BuildFailed, or Unavailable `readmodels.unavailable` when
        nothing can be written (the disk is full), and then what serves goes on serving.
        """
        with self._building(folds) as (names, note):
            rebuilt = rebuild(self.feed, list(self.engines.values()), names, self._noting(note, progress), self.archive)
        again = {each.fold for each in rebuilt}
        found = [checked for each in rebuilt for checked in each.checked if checked.rows_apart]
        self.differences = (*(each for each in self.differences if each.fold not in again), *found)
        return rebuilt

    def verify(self, folds: Sequence[str] | None = None, progress: Progress | None = None) -> list[Checked]:
        """Fold the named folds (all, unless said) from the beginning, compare with what serves, and change nothing. Raises like `rebuild`."""
        with self._building(folds) as (names, note):
            return verify(self.feed, list(self.engines.values()), names, self._noting(note, progress), self.archive)

    @contextmanager
    def _building(self, folds: Sequence[str] | None) -> Generator[tuple[list[str], Progress]]:
        names = list(dict.fromkeys(folds)) if folds else sorted({name for engine in self.engines.values() for name in engine.plans})
        if not self._build.acquire(blocking=False):
            raise RuleViolation("rebuild.running", "folds are being rebuilt now; wait for that to end")
        began = monotonic()

        def note(done: int, total: int) -> None:
            self.building = Building(tuple(names), done, total, monotonic() - began)

        try:
            note(0, self.feed.head())
            with _writable():
                yield names, note
        finally:
            self.building = None
            self._build.release()

    def _noting(self, note: Progress, progress: Progress | None) -> Progress:
        def both(done: int, total: int) -> None:
            note(done, total)
            if progress is not None:
                progress(done, total)

        return both

    def roll_back(self, fold: str) -> list[dict[str, Any]]:
        """Let the version of a fold that was kept serve again, in each home. Raises NotFound, or RuleViolation `fold.nothing_kept`."""
        engines = [engine for engine in self.engines.values() if fold in engine.plans]
        if not engines:
            raise NotFound("fold.unknown", f"there is no fold {fold[:100]}")
        try:
            with _writable():
                back = [(engine.tables.home, versions.rollback(engine, fold)) for engine in engines]
        except LookupError as error:
            raise RuleViolation("fold.nothing_kept", str(error)) from None
        return [{"home": home, "fold": version.fold, "number": version.number, "position": version.position} for home, version in back]

    def retry(self, fold: str) -> list[dict[str, Any]]:
        """Let a stopped fold go on from where it stopped, wherever it did. Raises NotFound, or RuleViolation `fold.not_stopped`."""
        engines = [engine for engine in self.engines.values() if fold in engine.plans]
        if not engines:
            raise NotFound("fold.unknown", f"there is no fold {fold[:100]}")
        with _writable():
            going = [(engine.tables.home, version) for engine in engines for version in versions.retry(engine, fold)]
        if not going:
            raise RuleViolation("fold.not_stopped", f"{fold} has not stopped; `daybook folds` shows which have")
        return [{"home": home, "fold": version.fold, "number": version.number, "position": version.position} for home, version in going]

    def freshen(self, stale: Sequence[str], progress: Progress | None = None) -> None:
        """Rebuild folds whose declaration has changed; a failure is noted, and what serves goes on serving."""
        try:
            self.rebuild(stale, progress)
        except Exception as error:
            self.trouble = f"{', '.join(stale)} could not be rebuilt by today's declaration: {error}"
            log.exception("stale folds could not be rebuilt")


@contextmanager
def open_tables(
    feed: Feed,
    lookups_place: str | Path,
    facts_path: Path,
    *,
    follow: bool,
    progress: Progress | None,
    archive: Archive | None = None,
    watch: Watch = UNWATCHED,
    workers_fold: bool = False,
) -> Generator[Tables]:
    """The read models over a log: followed by threads of their own, or brought up to date once; lookups that workers fold are only watched.

    Raises InvalidSettings when workers have folded the lookups and now it is to be done here, FactsInUse, BuildFailed, or Unavailable `readmodels.unavailable` when they cannot be opened or written.
    """
    with ExitStack() as closing:
        with _writable():
            tables = _opened(
                feed, lookups_place, facts_path, closing, archive, follow=follow, progress=progress, watch=watch, shared=workers_fold
            )
        yield tables


def _opened(
    feed: Feed,
    lookups_place: str | Path,
    facts_path: Path,
    closing: ExitStack,
    archive: Archive | None,
    *,
    follow: bool,
    progress: Progress | None,
    watch: Watch,
    shared: bool,
) -> Tables:
    lookups = open_lookups(lookups_place)
    closing.callback(lookups.close)
    if not shared and any(version.partitions for version in lookups.versions()):
        message = "these lookups are folded by workers: set DAYBOOK_KAFKA, or name another database for lookups that are folded here"
        raise InvalidSettings(message)
    facts = FactStore(facts_path, layouts(Home.FACTS))
    closing.callback(facts.close)
    homes = (LookupTables(lookups, shared=shared), FactTables(facts))
    engines = {tables.home: Engine(tables, FOLDS, feed, watch=watch) for tables in homes}
    stale = versions.start(feed, list(engines.values()), progress, archive, others_build=True)
    following: dict[Home, Follower | Watcher] = (
        {home: Follower(each, gather=GATHER[home]) for home, each in engines.items()} if follow else {}
    )
    if shared:
        following[Home.LOOKUPS] = Watcher(engines[Home.LOOKUPS])
    tables = Tables(feed, lookups, facts, engines, following, archive)
    if follow:
        _follow(tables, stale, closing)
        return tables
    if stale:
        tables.freshen(stale, progress)
    for home in engines.keys() - following.keys():
        engines[home].catch_up()
    return tables


@contextmanager
def _writable() -> Generator[None]:
    """Raises Unavailable instead of what the stores raise when the disk is full, also where a failed build hides it."""
    try:
        yield
    except (BuildFailed, *OUTAGES) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OUTAGES):
            cause = cause.__cause__
        if cause is None:
            raise
        message = f"the read models cannot be written now; what serves goes on serving ({str(cause).splitlines()[0]})"
        raise Unavailable("readmodels.unavailable", message) from error


def _follow(tables: Tables, stale: Sequence[str], closing: ExitStack) -> None:
    if stale:
        thread = Thread(target=tables.freshen, args=(stale,), name="freshen", daemon=True)
        thread.start()
        closing.callback(thread.join)
    for follower in tables.following.values():
        follower.start()
    closing.callback(_stop, list(tables.following.values()))


def _stop(following: Sequence[Follower | Watcher]) -> None:
    """Stop all at once; each finishes what it is at."""
    threads = [Thread(target=follower.stop) for follower in following]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def open_lookups(place: str | Path) -> LookupStore:
    """The lookups at an address (PostgreSQL) or path (SQLite file)."""
    address = str(place)
    if address.startswith(("postgresql://", "postgres://")):
        return LookupStore.postgres(patient(address), layouts(Home.LOOKUPS))
    return LookupStore.sqlite(Path(place), layouts(Home.LOOKUPS))
