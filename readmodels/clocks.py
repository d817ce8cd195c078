"""How long a service request still has: the clock runs towards what is due, and stands while the request waits."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Case, ColumnElement, Table, and_, case, func, literal, or_

from readmodels.asking import Row

KINDS: Final = ("first_response", "resolution")
NEVER: Final = "9999-12-31T23:59:59.999999Z"


def clock(request: Row, kind: str, now: datetime) -> Row | None:
    """The target of a kind: None when there is none. Seconds are negative when it is overdue, None once it is settled."""
    due_at: str | None = request[f"{kind}_due_at"]
    if due_at is None:
        return None
    outcome: str | None = request[f"{kind}_outcome"]
    left = None if outcome else seconds_left(due_at, request["waiting_since"], now)
    return {"due_at": due_at, "outcome": outcome, "seconds_left": left, "overdue": left is not None and left < 0}


def seconds_left(due_at: str, waiting_since: str | None, now: datetime) -> int:
    """Whole seconds until it is due; while the request waits, as many as there were when the wait began."""
    at = datetime.fromisoformat(waiting_since) if waiting_since else now
    return int((datetime.fromisoformat(due_at) - at).total_seconds() // 1)


def clocks(request: Row, now: datetime) -> Row:
    """Both targets, what comes due next, and whether anything is overdue."""
    both = {kind: clock(request, kind, now) for kind in KINDS}
    pending = [found for found in both.values() if found and found["outcome"] is None]
    following = min(pending, key=lambda found: found["due_at"], default=None)
    return {
        **both,
        "due_at": following["due_at"] if following else None,
        "seconds_left": following["seconds_left"] if following else None,
        "overdue": any(found["overdue"] for found in pending),
        "paused": request["waiting_since"] is not None,
    }


def next_due(requests: Table) -> Case[Any]:
    """In SQL, when the next pending target is due, or `NEVER`."""
    here = requests.c
    first, last = here.first_response_due_at, here.resolution_due_at
    first_pending = and_(first.is_not(None), here.first_response_outcome.is_(None))
    last_pending = and_(last.is_not(None), here.resolution_outcome.is_(None))
    return case(
        (and_(first_pending, or_(~last_pending, first <= last)), first),
        (last_pending, last),
        else_=literal(NEVER, last.type),
    )


def is_overdue(requests: Table, now: ColumnElement[Any]) -> ColumnElement[bool]:
    """In SQL, whether a pending target is past due at `now`, or was when the wait that is going on began."""
    return next_due(requests) < func.coalesce(requests.c.waiting_since, now)
