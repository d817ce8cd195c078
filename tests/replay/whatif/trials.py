"""Trials as the tests make them, and what they came to, taken apart."""

from datetime import UTC, datetime
from typing import Any

from domain.requests.policy import COMPLAINTS, KINDS, PRIORITIES, STANDARD
from projections.history import History
from replay.whatif.comparing import Comparison
from replay.whatif.trial import Promise, Trial
from replay.whatif.trying import Outcome, try_out
from tests.readmodels.folding import Company

NOW = datetime(2025, 9, 1, tzinfo=UTC)
Side = dict[tuple[Any, ...], dict[str, Any] | None]


def tried(firm: Company, trial: Trial, *, seconds: float = 60) -> Outcome:
    """Make the trial."""
    with firm.facts() as facts:
        return try_out(trial, facts, History(firm.books.log), seconds=seconds, now=NOW)


def comparison(firm: Company, trial: Trial, name: str, about: str | None = None) -> Comparison:
    """One figure of the trial."""
    [found] = [each for each in tried(firm, trial).comparisons if (each.name, each.about) == (name, about)]
    return found


def old_of(found: Comparison) -> Side:
    """Today's figures by their keys."""
    return {tuple(row.key): dict(row.old) for row in found.rows if row.old is not None}


def new_of(found: Comparison) -> Side:
    """The trial's figures by their keys."""
    return {tuple(row.key): dict(row.new) for row in found.rows if row.new is not None}


def apart(outcome: Outcome) -> list[Any]:
    """The rows in which the trial is not as today."""
    return [(each.name, row) for each in outcome.comparisons for row in each.rows if row.old != row.new]


def as_promised_now() -> list[Promise]:
    """The service policies as they are."""
    return [
        Promise(policy=policy.name, priority=priority, kind=kind, seconds=int(policy.time(kind, priority).total_seconds()))
        for policy in (STANDARD, COMPLAINTS)
        for priority in PRIORITIES
        for kind in KINDS
    ]


def facts_of(firm: Company) -> dict[str, list[Any]]:
    """Everything that the live facts hold."""
    with firm.facts() as facts:
        return {name: facts.rows(f"SELECT * FROM {name} ORDER BY ALL", {}) for name in (*firm.fact_store.layouts, "folds")}
