"""Which versions of the tables serve: what is to be done at start, roll-back, and health."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from projections.archive import Archive
from projections.build import Builder, BuildFailed, Checked, Draft, Progress
from projections.engine import Engine
from projections.feed import Feed
from projections.fold import Home
from projections.homes import Writer
from projections.plan import Plan
from readmodels.layout import State, Version

log = logging.getLogger(__name__)


def start(
    feed: Feed,
    engines: Sequence[Engine],
    progress: Progress | None = None,
    archive: Archive | None = None,
    *,
    others_build: bool = False,
) -> list[str]:
    """Make ready to serve: every fold has a serving table afterwards; gives the names of those that are stale.

    A stale one was folded by another declaration than today's; it serves as it is until `build` has been called for it.
    Failures of an earlier run are forgotten, so that stopped folds are tried again. What was being built then is dropped.
    A kept version that was folded by today's declaration (the code was rolled back) is switched back to.
    Tables that are shared with other processes are left alone where each fold has one that serves by today's declaration (by any, where
    `others_build` those that are stale); whatever has to be done to them waits for a process that builds there.
    """
    with ExitStack() as alone:
        wanted = [engine for engine in engines if not (engine.tables.shared and _ready(engine, stale_too=others_build))]
        for engine in wanted:
            alone.enter_context(engine.tables.building(wait=True))
        return _start(feed, wanted, progress, archive)


def _ready(engine: Engine, *, stale_too: bool) -> bool:
    """Whether each fold has a table that serves."""
    serving = {version.fold: version.fingerprint for version in engine.tables.versions() if version.state is State.SERVING}
    fresh = {name for name, plan in engine.plans.items() if stale_too or serving.get(name) == plan.fold.fingerprint}
    return engine.plans.keys() == fresh & serving.keys()


def _start(feed: Feed, engines: Sequence[Engine], progress: Progress | None, archive: Archive | None) -> list[str]:
    fresh: dict[Engine, list[str]] = {}
    stale: set[str] = set()
    for engine in engines:
        for plan in engine.plans.values():
            found = _prepare(engine, plan)
            if found is None:
                fresh.setdefault(engine, []).append(plan.name)
            elif found.fingerprint != plan.fold.fingerprint:
                stale.add(plan.name)
    _build_first(feed, fresh, progress, archive)
    return sorted(stale)


def _build_first(feed: Feed, fresh: Mapping[Engine, Sequence[str]], progress: Progress | None, archive: Archive | None) -> None:
    """Build folds that have no serving table. One that fails serves from its empty beginning, so that it goes as far as it can."""
    failing: set[str] = set()
    while wanted := {engine: [name for name in names if name not in failing] for engine, names in fresh.items()}:
        try:
            build(feed, wanted, progress, archive)
        except BuildFailed as failure:
            log.warning("%s", failure.message)
            failing |= {failure.fold} if failure.fold else {name for names in wanted.values() for name in names}
        else:
            break
    for engine, names in fresh.items():
        for name in names:
            if name in failing and not any(v.fold == name and v.state is State.SERVING for v in engine.tables.versions()):
                _serve_empty(engine, engine.plans[name])


def _serve_empty(engine: Engine, plan: Plan) -> None:
    with engine.tables.writing() as writer:
        number = max((version.number for version in writer.versions() if version.fold == plan.name), default=0) + 1
        serve_empty(writer, engine.tables.home, plan, number=number)


def serve_empty(writer: Writer, home: Home, plan: Plan, *, number: int = 1, position: int = 0) -> Version:
    """An empty table that serves as if folded up to `position`, as it was registered."""
    version = Version(plan.name, number, State.BUILDING, plan.fold.fingerprint, position)
    writer.create(plan.layout_in(home), version)
    writer.serve(plan.layout_in(home), number)
    return version


def _prepare(engine: Engine, plan: Plan) -> Version | None:
    """Tidy up one fold's versions; the one that serves, if there is one."""
    layout = plan.layout_in(engine.tables.home)
    with engine.tables.writing() as writer:
        versions = [version for version in writer.versions() if version.fold == plan.name]
        for version in versions:
            if version.state is State.BUILDING:
                writer.drop(version.fold, version.number)
            elif version.error and not engine.tables.shared:
                writer.resume(version.fold, version.number)
        serving = next((version for version in versions if version.state is State.SERVING), None)
        if serving and serving.fingerprint != plan.fold.fingerprint:
            for version in versions:
                if version.state is State.KEPT and version.fingerprint == plan.fold.fingerprint:
                    log.info("%s: back to version %s, which today's declaration folded", plan.name, version.number)
                    writer.serve(layout, version.number)
                    return version
    return serving


def build(
    feed: Feed, wanted: Mapping[Engine, Iterable[str]], progress: Progress | None = None, archive: Archive | None = None
) -> list[tuple[Draft, list[Checked]]]:
    """Build new versions of the folds `wanted` of each engine beside the serving ones, compare them with those, and switch each in.

    Gives each with how it compared. What was folded from the beginning is switched in even where it differs: it is what the log
    says. Raises BuildFailed; then a home that was not switched yet goes on serving what it did.
    """
    builder = Builder(feed, archive)
    drafts = builder.build(wanted, progress)
    try:
        checked = builder.check(drafts)
        for each in checked:
            if each.rows_apart:
                log.error(
                    "%s in the %s: %s rows of what served are not what the log says (compared at position %s); what was rebuilt serves now",
                    each.fold,
                    each.home,
                    each.rows_apart,
                    each.position,
                )
        builder.switch(drafts)
    except BaseException:
        builder.discard(drafts)
        raise
    return [(draft, [each for each in checked if each.fold == draft.plan.name]) for draft in drafts]


def retry(engine: Engine, fold: str) -> list[Version]:
    """Let the stopped versions of `fold` go on, from where they stopped; gives them."""
    with engine.tables.writing() as writer:
        stopped = [version for version in writer.versions() if version.fold == fold and version.error]
        for version in stopped:
            writer.resume(version.fold, version.number)
    return stopped


def rollback(engine: Engine, fold: str) -> Version:
    """Let the kept version of `fold` serve again; the one that serves is kept. Raises LookupError when none is kept.

    If it was folded by another declaration than today's, it stays as it is until the code it belongs to is back.
    """
    plan = engine.plans[fold]
    with engine.turn, engine.tables.writing() as writer:
        versions = [version for version in writer.versions() if version.fold == fold and version.state is State.KEPT]
        if not versions:
            raise LookupError(f"no earlier version of {fold} is kept")
        kept = max(versions, key=lambda version: version.number)
        writer.serve(plan.layout_in(engine.tables.home), kept.number)
    return kept
