"""Building: new versions of tables folded from the beginning, beside those that serve, then switched in."""

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from domain.errors import DaybookError
from projections.archive import Archive
from projections.engine import BATCH, Engine, Target
from projections.evaluate import Poison, evaluate
from projections.feed import Feed
from projections.fold import Home
from projections.gathering import Gathered, Gathering, SliceFailed
from projections.homes import LookupTables, Writer, lanes_for
from projections.level import Patience, beyond, level
from projections.plan import Plan
from readmodels.layout import State, Version
from readmodels.lookup_writing import LookupWriter

log = logging.getLogger(__name__)

MEMORY: Final = "600MB"
"""What folding may take beside the stores; beyond that DuckDB lays rows aside on the disk."""

WORKERS_COME_WITHIN: Final = 10.0
"""Seconds within which somebody has to move the tables on that workers fold, for a new version to be compared with what serves."""
WORKERS_GO_ON_WITHIN: Final = 60.0

Progress = Callable[[int, int], None]
"""Told how many events are folded, out of how many."""


class BuildFailed(DaybookError):
    """A fold cannot be folded from the beginning; what serves goes on serving. `fold` is None when it is not known which."""

    def __init__(self, fold: str | None, message: str) -> None:
        super().__init__("fold.failed", message)
        self.fold = fold


@dataclass(slots=True)
class Draft:
    """One fold that is being built: its new version in each of the homes."""

    plan: Plan
    engines: dict[Home, Engine]
    versions: dict[Home, Version] = field(default_factory=dict[Home, Version])


@dataclass(frozen=True, slots=True)
class Checked:
    """How one fold's serving table compares with one that was folded from the beginning, both at `position`."""

    fold: str
    home: Home
    position: int
    rows_apart: int
    """Rows that only one of the two has; 0 when they are equal."""


def _drafts(wanted: Mapping[Engine, Iterable[str]]) -> list[Draft]:
    found: dict[str, Draft] = {}
    for engine, names in wanted.items():
        for name in names:
            found.setdefault(name, Draft(engine.plans[name], {})).engines[engine.tables.home] = engine
    return list(found.values())


@contextmanager
def _scratch() -> Generator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory that may read the archive's files, which no user's SQL ever reaches."""
    with TemporaryDirectory(prefix="daybook-fold-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,  # of one statement; several run side by side
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            for setting in ("TimeZone = 'UTC'", "arrow_lossless_conversion = true", "parquet_metadata_cache = true"):
                connection.execute(f"SET {setting}")
            yield connection


def _by_engine(drafts: Iterable[Draft]) -> dict[Engine, list[Draft]]:
    found: dict[Engine, list[Draft]] = {}
    for draft in drafts:
        for engine in draft.engines.values():
            found.setdefault(engine, []).append(draft)
    return found


class Builder:
    """Folds the whole log once for all wanted tables of all homes, then hands them over ready to be switched in."""

    def __init__(self, feed: Feed, archive: Archive | None = None) -> None:
        self._feed = feed
        self._archive = archive

    def build(self, wanted: Mapping[Engine, Iterable[str]], progress: Progress | None = None) -> list[Draft]:
        """New versions of the folds `wanted` of each engine, folded up to where the log was when this began. Raises BuildFailed."""
        drafts = _drafts(wanted)
        upto = self._feed.head()
        try:
            for engine, group in _by_engine(drafts).items():
                with engine.tables.writing() as writer:
                    _create(writer, engine, group)
            if drafts and upto:
                self._fold(drafts, upto, progress)
            for engine, group in _by_engine(drafts).items():
                with engine.tables.writing() as writer:
                    _fold_ended(writer, engine, group, upto)
        except BaseException:
            self.discard(drafts)
            raise
        return drafts

    def discard(self, drafts: Iterable[Draft]) -> None:
        """Drop the new versions of these drafts, but for those that serve already."""
        for engine, group in _by_engine(drafts).items():
            with engine.tables.writing() as writer:
                building = {(version.fold, version.number) for version in writer.versions() if version.state is State.BUILDING}
                for draft in group:
                    version = draft.versions.get(engine.tables.home)
                    if version and (version.fold, version.number) in building:
                        writer.drop(version.fold, version.number)

    def _fold(self, drafts: Sequence[Draft], upto: int, progress: Progress | None) -> None:
        folds = [Gathered(draft.plan, lanes_for(draft.plan, list(draft.engines)), _filler(draft), _ender(draft)) for draft in drafts]
        types = {event_type for draft in drafts for event_type in draft.plan.routes}
        with ExitStack() as stack:
            for engine in _by_engine(drafts):
                stack.enter_context(engine.tables.filling(upto))
            stretches = stack.enter_context(self._archive.reading(upto, types)) if self._archive else ()
            scratch = stack.enter_context(_scratch())
            try:
                Gathering(scratch, folds).run(self._feed, stretches, upto, lambda done: progress(done, upto) if progress else None)
            except SliceFailed as failure:
                self._explain(drafts, failure)

    def _explain(self, drafts: Sequence[Draft], failure: SliceFailed) -> None:
        """Find the event that DuckDB stumbled over, by the other evaluator, and say which it was."""
        after = failure.after
        while after < failure.upto:
            events = [event for event in self._feed.read(after, BATCH) if event.position <= failure.upto]
            if not events:
                break
            for draft in drafts:
                try:
                    evaluate(draft.plan, events)
                except Poison as poison:
                    message = f"{draft.plan.name} fails on the event at position {poison.position}: {poison.message}"
                    raise BuildFailed(draft.plan.name, message) from poison
            after = events[-1].position
        raise BuildFailed(None, f"{failure} cannot be folded: {failure.__cause__}") from failure

    def check(self, drafts: Sequence[Draft]) -> list[Checked]:
        """Compare what was folded with what serves, both at one position, row by row, while live writing goes on.

        What serves by another declaration than today's, or was stopped, is not compared. Raises BuildFailed when a fold stopped.
        """
        homes = _by_engine(drafts)
        with ExitStack() as stack, ThreadPoolExecutor(max(1, len(homes)), "check") as pool:
            met = [_meeting(engine, group, stack) for engine, group in homes.items()]
            return [each for home in pool.map(_compared, met) for each in home]

    def switch(self, drafts: Sequence[Draft]) -> None:
        """Catch up with what happened meanwhile, and let the new versions serve, those of each home in one transaction.

        The versions that served are kept for a roll-back; older ones are dropped. Raises BuildFailed when a fold stopped.
        """
        for engine, group in _by_engine(drafts).items():
            while not _switched(engine, group):
                pass


def _create(writer: Writer, engine: Engine, drafts: Sequence[Draft]) -> None:
    known = writer.versions()
    for draft in drafts:
        number = max((version.number for version in known if version.fold == draft.plan.name), default=0) + 1
        version = Version(draft.plan.name, number, State.BUILDING, draft.plan.fold.fingerprint, 0)
        writer.create(draft.plan.layout_in(engine.tables.home), version)
        draft.versions[engine.tables.home] = version


def _fold_ended(writer: Writer, engine: Engine, drafts: Sequence[Draft], upto: int) -> None:
    home = engine.tables.home
    if upto:
        writer.advance([draft.versions[home] for draft in drafts], upto)
    serving = {version.fold: version for version in writer.versions() if version.state is State.SERVING}
    for draft in drafts:
        draft.versions[home] = replace(draft.versions[home], position=upto, base=upto)
        old = serving.get(draft.plan.name)
        if isinstance(writer, LookupWriter) and engine.tables.shared and old is not None and old.partitions:
            writer.divide(draft.versions[home], len(old.partitions))


def _filler(draft: Draft) -> Callable[[duckdb.DuckDBPyConnection, str], None]:
    def fill(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
        for home, engine in draft.engines.items():
            engine.tables.fill(draft.plan, draft.versions[home], connection, relation)

    return fill


def _ender(draft: Draft) -> Callable[[], None]:
    def filled() -> None:
        for home, engine in draft.engines.items():
            if isinstance(engine.tables, LookupTables):
                engine.tables.filled(draft.plan, draft.versions[home])

    return filled


def _meeting(engine: Engine, drafts: Sequence[Draft], stack: ExitStack) -> list[tuple[str, Home, int, Callable[[], int]]]:
    """Bring drafts and what serves to one position, and hold on to how both are there; gives what will compare them."""
    home = engine.tables.home
    numbers = {(draft.plan.name, draft.versions[home].number) for draft in drafts}
    patience = Patience(engine.tables, WORKERS_COME_WITHIN)
    with engine.turn:
        while True:
            with engine.tables.writing() if engine.tables.shared else nullcontext() as writer:
                pairs = _pairs(engine, numbers, engine.tables.versions() if writer is None else writer.versions())
                if all(level(new, old) for new, old in pairs):
                    difference = stack.enter_context(engine.tables.comparing())
                    break
            both = [Target(engine.plans[version.fold], version) for pair in pairs for version in pair]
            if not engine.meet([target for target in both if not target.version.partitions]) and not patience.wait():
                log.warning("nobody moves the %s on, so that what was built cannot be compared with what serves", home)
                return []
    layouts = {name: plan.layout_in(home) for name, plan in engine.plans.items()}
    return [(new.fold, home, new.position, partial(difference, layouts[new.fold], new.number, old.number)) for new, old in pairs]


def _pairs(engine: Engine, numbers: Collection[tuple[str, int]], found: Iterable[Version]) -> list[tuple[Version, Version]]:
    """New versions with what serves. Raises BuildFailed when a new one was stopped."""
    versions = {(version.fold, version.number): version for version in found}
    serving = {v.fold: v for v in versions.values() if v.state is State.SERVING and _comparable(engine, v)}
    pairs = [(versions[number], serving[number[0]]) for number in sorted(numbers) if number[0] in serving and number in versions]
    if stopped := next((new for new, _ in pairs if new.error), None):
        raise BuildFailed(stopped.fold, f"{stopped.fold} cannot be built: position {stopped.error_position}: {stopped.error}")
    return pairs


def _compared(met: Iterable[tuple[str, Home, int, Callable[[], int]]]) -> list[Checked]:
    return [Checked(name, home, position, difference()) for name, home, position, difference in met]


def _comparable(engine: Engine, version: Version) -> bool:
    plan = engine.plans.get(version.fold)
    return plan is not None and version.error is None and version.fingerprint == plan.fold.fingerprint


def _switched(engine: Engine, drafts: Sequence[Draft]) -> bool:
    home = engine.tables.home
    numbers = {draft.plan.name: draft.versions[home].number for draft in drafts}
    patience = Patience(engine.tables, WORKERS_GO_ON_WITHIN)
    with engine.turn:
        # As far as the versions that serve, which stand still meanwhile; the log may grow faster than anything can be folded.
        while not all(_caught_up(name, number, engine.tables.versions()) for name, number in numbers.items()):
            late = [target for target in engine.targets(State.BUILDING) if numbers.get(target.plan.name) == target.version.number]
            if not engine.move_on(late) and not patience.wait():
                raise BuildFailed(
                    None, "what serves is ahead of what was built, and nobody moves that on: start a worker with `daybook work`"
                )
        with engine.tables.writing() as writer:
            versions = writer.versions()
            if not all(_caught_up(name, number, versions) for name, number in numbers.items()):
                return False
            for draft in drafts:
                writer.serve(draft.plan.layout_in(home), numbers[draft.plan.name])
            for old in versions:
                if old.fold in numbers and old.state is State.KEPT:
                    writer.drop(old.fold, old.number)
    return True


def _caught_up(name: str, number: int, versions: Sequence[Version]) -> bool:
    """Whether a new version is as far as the one that serves. Raises BuildFailed when it will never be."""
    new = next((version for version in versions if (version.fold, version.number) == (name, number)), None)
    if new is None or new.error:
        why = f"position {new.error_position}: {new.error}" if new else "the new version was dropped by another process"
        raise BuildFailed(name, f"{name} cannot be built: {why}")
    return all(beyond(new, old) for old in versions if old.fold == name and old.state is State.SERVING)
