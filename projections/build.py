"""Building: new versions of tables folded from the beginning, beside those that serve, then switched in."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import duckdb

from domain.errors import DaybookError
from projections.bulk import SLICE, Bulk, slices
from projections.engine import BATCH, Engine, Target
from projections.evaluate import Poison, evaluate
from projections.feed import Feed
from projections.fold import Home
from projections.homes import lanes_for
from projections.plan import Lane, Plan
from projections.sql import combined, partials, quoted
from readmodels.layout import State, Version

Progress = Callable[[int, int], None]
"""Told how many events are folded, out of how many."""

ROWS_AT_ONCE: Final = 2_000_000
"""Partial rows that are combined at once: bounds the memory."""


class BuildFailed(DaybookError):
    """A fold cannot be folded from the beginning; what serves goes on serving. `fold` is None when it is not known which."""

    def __init__(self, fold: str | None, message: str) -> None:
        super().__init__("fold.failed", message)
        self.fold = fold


@dataclass(slots=True)
class Draft:
    """One fold that is being built: its new version in each of the homes, and where its partial rows gather."""

    plan: Plan
    lanes: tuple[Lane, ...]
    engines: dict[Home, Engine]
    versions: dict[Home, Version] = field(default_factory=dict[Home, Version])
    rows: int = 0

    @property
    def gathered(self) -> str:
        """The temporary table of partial rows."""
        return quoted("gathered " + self.plan.name)


def _drafts(wanted: Mapping[Engine, Iterable[str]]) -> list[Draft]:
    found: dict[str, Draft] = {}
    for engine, names in wanted.items():
        for name in names:
            found.setdefault(name, Draft(engine.plans[name], (), {})).engines[engine.tables.home] = engine
    return [replace(draft, lanes=lanes_for(draft.plan, list(draft.engines))) for draft in found.values()]


@contextmanager
def _scratch(drafts: Iterable[Draft]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The facts' own DuckDB if facts are built, so that rows go over within it."""
    by_home = {home: engine for draft in drafts for home, engine in draft.engines.items()}
    with (by_home.get(Home.FACTS) or by_home[Home.LOOKUPS]).tables.scratch() as scratch:
        yield scratch


class Builder:
    """Folds the whole log once for all wanted tables of all homes, then hands them over ready to be switched in."""

    def __init__(self, feed: Feed, *, slice_size: int = SLICE) -> None:
        self._feed = feed
        self._slice = slice_size

    def build(self, wanted: Mapping[Engine, Iterable[str]], progress: Progress | None = None) -> list[Draft]:
        """New versions of the folds `wanted` of each engine, folded up to where the log was when this began. Raises BuildFailed."""
        drafts = _drafts(wanted)
        if not drafts:
            return []
        upto = self._feed.head()
        try:
            for draft in drafts:
                self._create(draft)
            with _scratch(drafts) as scratch:
                self._fold(scratch, drafts, upto, progress or _quiet)
                for draft in drafts:
                    self._finish(scratch, draft, upto)
        except BaseException:
            self.discard(drafts)
            raise
        return drafts

    def discard(self, drafts: Iterable[Draft]) -> None:
        """Drop the new versions of these drafts, but for those that serve already."""
        for draft in drafts:
            for home, version in draft.versions.items():
                with draft.engines[home].tables.writing() as writer:
                    if any(v.fold == version.fold and v.number == version.number and v.state is State.BUILDING for v in writer.versions()):
                        writer.drop(version.fold, version.number)

    def _create(self, draft: Draft) -> None:
        for home, engine in draft.engines.items():
            with engine.tables.writing() as writer:
                number = max((v.number for v in writer.versions() if v.fold == draft.plan.name), default=0) + 1
                version = Version(draft.plan.name, number, State.BUILDING, draft.plan.fold.fingerprint, 0)
                writer.create(draft.plan.layout_in(home), version)
            draft.versions[home] = version

    def _fold(self, scratch: duckdb.DuckDBPyConnection, drafts: Sequence[Draft], upto: int, progress: Progress) -> None:
        bulk = Bulk(scratch, [(draft.plan, draft.lanes) for draft in drafts])
        after = 0
        with closing(slices(self._feed.arrow(0, upto), self._slice)) as tables:
            for events in tables:
                end: int = events.column("position")[-1].as_py()
                try:
                    with bulk.typed(events) as types:
                        for draft in drafts:
                            self._gather(scratch, draft, types)
                except duckdb.Error as error:
                    self._explain(drafts, after, end, error)
                progress(end, upto)
                after = end

    def _gather(self, scratch: duckdb.DuckDBPyConnection, draft: Draft, types: frozenset[str]) -> None:
        for query in partials(draft.plan, draft.lanes, types):
            if draft.plan.fold.per_event and list(draft.engines) == [Home.FACTS]:
                draft.engines[Home.FACTS].tables.fill(draft.plan, draft.versions[Home.FACTS], scratch, f"({query})")
            else:
                verb = f"INSERT INTO temp.{draft.gathered}" if draft.rows else f"CREATE OR REPLACE TEMP TABLE {draft.gathered} AS"
                count = scratch.execute(f"{verb} {query}").fetchone()
                draft.rows += count[0] if count else 0

    def _explain(self, drafts: Sequence[Draft], after: int, upto: int, error: duckdb.Error) -> None:
        """Find the event that DuckDB stumbled over, by the other evaluator, and say which it was."""
        while after < upto:
            events = [event for event in self._feed.read(after, BATCH) if event.position <= upto]
            if not events:
                break
            for draft in drafts:
                try:
                    evaluate(draft.plan, events)
                except Poison as poison:
                    message = f"{draft.plan.name} fails on the event at position {poison.position}: {poison.message}"
                    raise BuildFailed(draft.plan.name, message) from poison
            after = events[-1].position
        raise BuildFailed(None, f"the events up to position {upto} cannot be folded: {error}") from error

    def _finish(self, scratch: duckdb.DuckDBPyConnection, draft: Draft, upto: int) -> None:
        if draft.rows:
            for relation in self._combined(draft):
                for home, engine in draft.engines.items():
                    engine.tables.fill(draft.plan, draft.versions[home], scratch, relation)
            scratch.execute(f"DROP TABLE temp.{draft.gathered}")
        for home, engine in draft.engines.items():
            with engine.tables.writing() as writer:
                writer.index(draft.plan.layout_in(home), draft.versions[home].number)
                if upto:
                    writer.advance([draft.versions[home]], upto)
            draft.versions[home] = replace(draft.versions[home], position=upto)

    def _combined(self, draft: Draft) -> Iterator[str]:
        """Queries for the rows, a part of the keys at a time where there are very many."""
        if draft.plan.fold.per_event:
            yield f"temp.{draft.gathered}"
            return
        keys = ", ".join(quoted(name) for name in draft.plan.layout.key)
        parts = -(-draft.rows // ROWS_AT_ONCE)
        for part in range(parts):
            where = f" WHERE hash({keys}) % {parts} = {part}" if parts > 1 else ""
            yield f"({combined(draft.plan, draft.lanes, f'(SELECT * FROM temp.{draft.gathered}{where})')})"

    def switch(self, draft: Draft) -> None:
        """Catch up with what happened meanwhile, and let the new versions serve, each home in one transaction.

        The version that served is kept for a roll-back; older ones are dropped. Raises BuildFailed when its fold stopped.
        """
        for home, engine in draft.engines.items():
            while not self._switched(engine, draft.plan, draft.versions[home].number):
                pass

    def _switched(self, engine: Engine, plan: Plan, number: int) -> bool:
        with engine.turn:
            while engine.move_on([target for target in engine.targets(State.BUILDING) if target.version.number == number and target.plan is plan]):
                pass
            with engine.tables.writing() as writer:
                versions = {version.number: version for version in writer.versions() if version.fold == plan.name}
                new = versions.get(number)
                if new is None or new.error:
                    why = f"position {new.error_position}: {new.error}" if new else "the new version was dropped by another process"
                    raise BuildFailed(plan.name, f"{plan.name} cannot be built: {why}")
                if any(old.state is State.SERVING and old.position > new.position for old in versions.values()):
                    return False
                writer.serve(plan.layout_in(engine.tables.home), number)
                for old in versions.values():
                    if old.state is State.KEPT:
                        writer.drop(old.fold, old.number)
        return True


def _quiet(_done: int, _all: int) -> None:
    """Nobody wants to know."""


