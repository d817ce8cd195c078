"""Service targets: how many were met, breached and are pending, by what was promised and how urgent the request is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from readmodels.asking import Facts
from readmodels.clocks import KINDS

FOLDS: Final = ("requests",)
"""The facts that are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The targets of one kind. A reopened request has had more than one; `met_rate` is met ÷ settled, None where none is settled.

    Pending are those of requests in the backlog; overdue, of these, those that were due by now (by the beginning of the wait
    that is going on).
    """

    kind: str
    priority: str
    settled: int
    met: int
    breached: int
    met_rate: float | None
    pending: int
    overdue: int


_KIND: Final = """
SELECT '{kind}' AS kind, priority, sum({kind}_targets_met)::BIGINT AS met, sum({kind}_targets_breached)::BIGINT AS breached,
       count(*) FILTER (pending) AS pending, count(*) FILTER (pending AND {kind}_due_at < coalesce(waiting_since, $now)) AS overdue
FROM (SELECT *, status IN ('open', 'waiting') AND {kind}_due_at IS NOT NULL AND {kind}_outcome IS NULL AS pending FROM requests)
GROUP BY priority
"""
_KEPT: Final = f"""
SELECT kind, priority, (met + breached)::BIGINT AS settled, met, breached,
       CASE WHEN met + breached > 0 THEN met / (met + breached) END AS met_rate, pending, overdue
FROM ({" UNION ALL ".join(_KIND.format(kind=kind) for kind in KINDS)})
ORDER BY list_position(['first_response', 'resolution'], kind), list_position(['urgent', 'high', 'normal', 'low'], priority)
"""


def kept_promises(facts: Facts, now: datetime) -> list[Kept]:
    """By kind and present priority, the most urgent first."""
    return [Kept(**row) for row in facts.rows(_KEPT, {"now": now.astimezone(UTC).replace(tzinfo=None)})]
