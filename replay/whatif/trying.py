"""A trial: what it touches is folded again from all of history, and its figures are asked beside those of today."""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from domain.event import Event
from projections import catalogue
from projections.fold import Fold, Home
from projections.history import History
from projections.plan import Plan, plan
from projections.sql import quoted, used_values
from projections.values import Value
from readmodels import funnel, kept_promises, weighted
from readmodels.asking import Facts, FactSnapshot, Row
from readmodels.columns import canonical_instant
from replay.whatif import promises, stages
from replay.whatif.comparing import Comparison, compared
from replay.whatif.errors import TrialRefused
from replay.whatif.ladders import Ladder, ladders
from replay.whatif.scratch import DECLARED, fold, fold_declared, scratch
from replay.whatif.trial import Trial

STAGE_FIGURES: Final = (
    "reached",
    "visited",
    "converted",
    "step_rate",
    "overall_rate",
    "lost_from",
    "now_in",
    "value",
    "now_value",
    "median_days",
    "p90_days",
    "back_moves",
)
WEIGHTED_FIGURES: Final = ("probability", "open_deals", "open_value", "weighted_value")
KEPT_FIGURES: Final = ("settled", "met", "breached", "met_rate", "pending", "overdue")
ALWAYS_READ: Final = ("pipelines",)
"""What says how far today is where nothing of it is compared."""
ALL: Final = "all"
"""The row that adds up the others."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to: true of the log up to `position`, at `now`."""

    position: int
    now: datetime
    comparisons: Sequence[Comparison]


def try_out(trial: Trial, today: Facts, history: History, *, seconds: float, now: datetime, only: str | None = None) -> Outcome:
    """Fold what the trial touches from all events up to where `today` is, into a scratch database, and compare.

    `today` are facts in which `trial.reads` can be asked; if they are those of another moment, `only` is its condition. They are only read.
    Raises NotFound, TrialRefused, or TrialTooMuch after `seconds`.
    """
    _check_names(trial.folds)
    with scratch(seconds) as connection:
        tried = _tried(trial, today)
        plans = [plan(each) for each in catalogue.FOLDS if each.name in trial.reads]
        further = [plan(each) for each in trial.folds]
        position = today.position(*(trial.reads or ALWAYS_READ))
        with history.relations(connection, _used(trial, [*plans, *further]), upto=position, only=only) as types:
            rewritten = stages.rewritten(connection, tried, types) | promises.rewritten(connection, trial.promises, types)
            for each in plans:
                fold(connection, each, types, rewritten)
            for each in further:
                fold_declared(connection, each, types, rewritten)
        stages.put_ladders(connection, tried)
        return Outcome(position, now, list(_compare(trial, tried, today, FactSnapshot(connection), now)))


def _check_names(folds: Iterable[Fold]) -> None:
    known = {each.name for each in catalogue.FOLDS}
    if taken := sorted(each.name for each in folds if each.name in known):
        raise TrialRefused("whatif.fold", f"there is a read model {', '.join(taken)} already; give the new one a name of its own")


def _tried(trial: Trial, today: Facts) -> list[Ladder]:
    if not trial.stages:
        return []
    found = ladders(today)
    for change in trial.stages:
        found.change(change)
    return sorted(found.tried.values(), key=lambda ladder: (ladder.name, ladder.pipeline_id))


def _used(trial: Trial, plans: Iterable[Plan]) -> dict[type[Event], set[Value]]:
    wanted: list[Mapping[type[Event], Collection[Value]]] = [used_values((each, each.lanes_in(Home.FACTS)) for each in plans)]
    wanted += [stages.USED] if trial.stages else []
    wanted += [promises.USED] if trial.promises else []
    used: dict[type[Event], set[Value]] = {}
    for needs in wanted:
        for event, values in needs.items():
            used.setdefault(event, set()).update(values)
    return promises.alike(used) if trial.promises else used


def _compare(trial: Trial, tried: Iterable[Ladder], today: Facts, then: Facts, now: datetime) -> Generator[Comparison]:
    for ladder in tried:
        yield _funnel(trial, ladder, today, then)
        yield _weighted(ladder, today, then)
    if trial.promises:
        old, new = ([asdict(row) for row in kept_promises.kept_promises(facts, now)] for facts in (today, then))
        yield compared("targets", None, ["kind", "priority"], KEPT_FIGURES, old=_with_totals(old), new=_with_totals(new))
    for declared in trial.folds:
        yield _rows(declared, then, trial.rows)


def _funnel(trial: Trial, ladder: Ladder, today: Facts, then: Facts) -> Comparison:
    question = funnel.Question(pipeline_id=ladder.pipeline_id, since=trial.since, until=trial.until)
    old, new = ([asdict(row) for row in funnel.funnels(facts, question)[0].stages] for facts in (today, then))
    return compared("funnel", ladder.name, ["stage"], STAGE_FIGURES, old=old, new=new)


def _weighted(ladder: Ladder, today: Facts, then: Facts) -> Comparison:
    old, new = ([asdict(row) for row in weighted.weighted(facts, ladder.pipeline_id)] for facts in (today, then))
    for rows in (old, new):
        rows.append({"stage": ALL, "probability": None} | _sums(rows, WEIGHTED_FIGURES[1:]))
    return compared("weighted", ladder.name, ["stage"], WEIGHTED_FIGURES, old=old, new=new)


def _sums(rows: Sequence[Row], names: Iterable[str]) -> Row:
    return {name: sum(row[name] for row in rows) for name in names}


def _with_totals(rows: Sequence[Row]) -> list[Row]:
    """With a row for all priorities of each kind, after them."""
    found: list[Row] = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of_kind = [row for row in rows if row["kind"] == kind]
        sums = _sums(of_kind, (name for name in KEPT_FIGURES if name != "met_rate"))
        rate = sums["met"] / sums["settled"] if sums["settled"] else None
        found += [*of_kind, {"kind": kind, "priority": ALL, "met_rate": rate} | sums]
    return found


def _rows(declared: Fold, then: Facts, limit: int) -> Comparison:
    table = f"{DECLARED}.{quoted(declared.name)}"
    key, columns = tuple(declared.key), tuple(declared.columns)
    order = ", ".join(map(quoted, key))
    rows = then.rows(f"SELECT * FROM {table} ORDER BY {order} LIMIT $limit", {"limit": limit})
    [counted] = then.rows(f"SELECT count(*) AS rows FROM {table}", {})
    shown = [{name: _plain(value) for name, value in row.items()} for row in rows]
    found = compared(declared.name, None, key, columns, old=[], new=shown)
    return replace(found, rows_in_all=counted["rows"])


def _plain(value: Any) -> Any:
    """A cell as JSON has it; amounts stay exact."""
    match value:
        case datetime():
            return canonical_instant(value.replace(tzinfo=UTC))
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value
