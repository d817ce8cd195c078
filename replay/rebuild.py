"""Folding read models again from the log: beside those that serve, switched in when they have caught up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.errors import NotFound
from projections import versions
from projections.build import Builder, Draft, Progress
from projections.engine import Engine, Target
from projections.feed import Feed
from projections.fold import Home
from readmodels.layout import State, Version


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One fold's new version, as it serves now."""

    fold: str
    homes: tuple[Home, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """How one fold's serving table compares with one folded from the beginning, both at `position`."""

    fold: str
    home: Home
    position: int
    rows_apart: int
    """Rows that only one of the two has; 0 when they are equal."""


def rebuild(feed: Feed, engines: Sequence[Engine], folds: Iterable[str] | None = None, progress: Progress | None = None) -> list[Rebuilt]:
    """Fold the named read models (all of them when None) again in each home, and let the new versions serve.

    Those that serve keep serving, and keep up with the log, until each is replaced in one transaction; they are then kept
    for a roll-back. `progress` is told how many events are folded out of how many. Raises NotFound `fold.unknown` for a
    name that there is no fold for, and BuildFailed `fold.failed` (with the event) when a fold cannot take its history.
    """
    drafts = versions.build(feed, _wanted(engines, folds), progress)
    return [Rebuilt(draft.plan.name, tuple(sorted(draft.engines))) for draft in drafts]


def verify(feed: Feed, engines: Sequence[Engine], folds: Iterable[str] | None = None, progress: Progress | None = None) -> list[Verified]:
    """Fold the named read models again beside the serving ones, compare row by row at the same position, and drop them again.

    Raises NotFound `fold.unknown` and BuildFailed like `rebuild`.
    """
    builder = Builder(feed)
    drafts = builder.build(_wanted(engines, folds), progress)
    try:
        return [_compare(draft, home, engine) for draft in drafts for home, engine in draft.engines.items()]
    finally:
        builder.discard(drafts)


def _wanted(engines: Sequence[Engine], folds: Iterable[str] | None) -> Mapping[Engine, list[str]]:
    known = {name for engine in engines for name in engine.plans}
    names = known if folds is None else set(folds)
    if unknown := names - known:
        raise NotFound("fold.unknown", f"there is no read model {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return {engine: [name for name in engine.plans if name in names] for engine in engines}


def _compare(draft: Draft, home: Home, engine: Engine) -> Verified:
    number = draft.versions[home].number
    layout = draft.plan.layout_in(home)
    with engine.turn:
        while True:
            while engine.move_on(_both(engine, draft, number)):
                pass
            before = _both(engine, draft, number)
            apart = engine.tables.difference(layout, number, _serving(engine, draft.plan.name).number)
            after = _both(engine, draft, number)
            positions = {target.version.position for target in (*before, *after)}
            if len(positions) == 1:
                return Verified(draft.plan.name, home, positions.pop(), apart)


def _both(engine: Engine, draft: Draft, number: int) -> list[Target]:
    serving = _serving(engine, draft.plan.name)
    wanted = {number, serving.number}
    found = [
        Target(draft.plan, version) for version in engine.tables.versions() if version.fold == draft.plan.name and version.number in wanted
    ]
    return [target for target in found if target.version.error is None]


def _serving(engine: Engine, fold: str) -> Version:
    return next(version for version in engine.tables.versions() if version.fold == fold and version.state is State.SERVING)
