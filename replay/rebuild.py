"""Folding read models again from the log: beside those that serve, switched in when they have caught up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.errors import NotFound
from projections import versions
from projections.archive import Archive
from projections.build import Builder, Checked, Progress
from projections.engine import Engine
from projections.feed import Feed
from projections.fold import Home


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One fold's new version, as it serves now."""

    fold: str
    homes: tuple[Home, ...]
    checked: tuple[Checked, ...]
    """How it compared with what served before, in each home where that was folded by the same declaration."""


def rebuild(
    feed: Feed,
    engines: Sequence[Engine],
    folds: Iterable[str] | None = None,
    progress: Progress | None = None,
    archive: Archive | None = None,
) -> list[Rebuilt]:
    """Fold the named read models (all of them when None) again in each home, and let the new versions serve.

    Those that serve keep serving, and keep up with the log, until each is compared and replaced in one transaction; they are then
    kept for a roll-back. `progress` is told how many events are folded out of how many. Raises NotFound `fold.unknown` for a
    name that there is no fold for, and BuildFailed `fold.failed` (with the event) when a fold cannot take its history.
    """
    built = versions.build(feed, _wanted(engines, folds), progress, archive)
    return [Rebuilt(draft.plan.name, tuple(sorted(draft.engines)), tuple(checked)) for draft, checked in built]


def verify(
    feed: Feed,
    engines: Sequence[Engine],
    folds: Iterable[str] | None = None,
    progress: Progress | None = None,
    archive: Archive | None = None,
) -> list[Checked]:
    """Fold the named read models again beside the serving ones, compare row by row at the same position, and drop them again.

    Raises NotFound `fold.unknown` and BuildFailed like `rebuild`.
    """
    builder = Builder(feed, archive)
    drafts = builder.build(_wanted(engines, folds), progress)
    try:
        return builder.check(drafts)
    finally:
        builder.discard(drafts)


def _wanted(engines: Sequence[Engine], folds: Iterable[str] | None) -> Mapping[Engine, list[str]]:
    known = {name for engine in engines for name in engine.plans}
    names = known if folds is None else set(folds)
    if unknown := names - known:
        wrong = ", ".join(sorted(unknown))[:100]
        raise NotFound("fold.unknown", f"there is no read model {wrong}; there are {', '.join(sorted(known))}")
    return {engine: [name for name in engine.plans if name in names] for engine in engines}
