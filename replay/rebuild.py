"""Folding read models again from the log: beside those that serve, switched in when they have caught up."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from domain.errors import NotFound, RuleViolation
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
    name that there is no fold for, RuleViolation `rebuild.running` when another process builds there, and BuildFailed `fold.failed`
    (with the event) when a fold cannot take its history.
    """
    wanted = _wanted(engines, folds)
    with _alone(engines):
        built = versions.build(feed, wanted, progress, archive)
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
    wanted = _wanted(engines, folds)
    builder = Builder(feed, archive)
    with _alone(engines):
        drafts = builder.build(wanted, progress)
        try:
            return builder.check(drafts)
        finally:
            builder.discard(drafts)


@contextmanager
def _alone(engines: Iterable[Engine]) -> Generator[None]:
    """Nobody else builds meanwhile. Raises RuleViolation `rebuild.running` when another process does."""
    with ExitStack() as building:
        if not all(building.enter_context(engine.tables.building(wait=False)) for engine in engines):
            raise RuleViolation("rebuild.running", "folds are being rebuilt by another process now; wait for that to end")
        yield


def _wanted(engines: Sequence[Engine], folds: Iterable[str] | None) -> Mapping[Engine, list[str]]:
    known = {name for engine in engines for name in engine.plans}
    names = known if folds is None else set(folds)
    if unknown := names - known:
        wrong = ", ".join(sorted(unknown))[:100]
        raise NotFound("fold.unknown", f"there is no read model {wrong}; there are {', '.join(sorted(known))}")
    return {engine: [name for name in engine.plans if name in names] for engine in engines}
