"""Service targets as they would have been under another policy, rewritten before they are folded.

What a target allows for waiting stays as it is; only the promised time is another. So a target is due later or earlier by the
difference of the two times, and it is met where as much time was left.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import duckdb

from domain.event import Event
from domain.requests.events import RequestOpened, RequestTargetBreached, RequestTargetMet, RequestTargetSet, RequestTriaged
from domain.requests.policy import COMPLAINT, COMPLAINTS, STANDARD
from projections.sql import relation_of
from projections.values import Field, Value
from replay.whatif.trial import Promise

POLICIES: Final = (STANDARD.name, COMPLAINTS.name)
_JUDGED: Final = {Field(name) for name in ("request_id", "category", "priority")}
_SETTLED: Final = _JUDGED | {Field(name) for name in ("kind", "due_at", "margin_seconds")}
USED: Final[Mapping[type[Event], Collection[Value]]] = {
    RequestOpened: _JUDGED,
    RequestTriaged: _JUDGED,
    RequestTargetSet: _JUDGED | {Field(name) for name in ("kind", "due_at", "started_at", "pushed_seconds")},
    RequestTargetMet: _SETTLED,
    RequestTargetBreached: _SETTLED,
}
"""What rewriting needs of each event."""

_POLICY: Final = f"CASE WHEN lower({{of}}.category) = '{COMPLAINT}' THEN '{COMPLAINTS.name}' ELSE '{STANDARD.name}' END"
_PROMISE: Final = f"LEFT JOIN temp.trial_promises p ON p.policy = {_POLICY} AND p.priority = {{of}}.priority AND p.kind = {{of}}.kind"
_SETS: Final = """
CREATE OR REPLACE TEMP TABLE trial_sets AS
SELECT position, d_request_id AS request_id, d_kind AS kind,
       (epoch_us(d_due_at) - epoch_us(d_started_at)) // 1000000 - d_pushed_seconds AS seconds
FROM temp.{relation}
"""
_NOW: Final = """
CREATE OR REPLACE TEMP TABLE trial_judged AS
SELECT request_id, arg_max(category, position) AS category, arg_max(priority, position) AS priority FROM ({judged}) GROUP BY request_id
"""
_SET: Final = f"""
SELECT e.* REPLACE (e.d_due_at + to_seconds(coalesce(p.seconds - s.seconds, 0)) AS d_due_at)
FROM temp.{{relation}} e JOIN temp.trial_sets s USING (position)
LEFT JOIN (SELECT n.*, k.kind FROM temp.trial_judged n CROSS JOIN (SELECT unnest(['first_response', 'resolution']) AS kind) k) o
     ON o.request_id = e.d_request_id AND o.kind = e.d_kind
{_PROMISE.format(of="o")}
"""
_OUTCOMES: Final = f"""
CREATE OR REPLACE TEMP TABLE trial_outcomes AS
SELECT e.* REPLACE (e.d_due_at + to_seconds(e.later) AS d_due_at, e.d_margin_seconds + e.later AS d_margin_seconds)
FROM (
    SELECT o.*, coalesce(p.seconds - s.seconds, 0)::BIGINT AS later
    FROM (SELECT *, d_request_id AS request_id, d_kind AS kind, d_category AS category, d_priority AS priority FROM ({{settled}})) o
    ASOF LEFT JOIN temp.trial_sets s ON s.request_id = o.request_id AND s.kind = o.kind AND s.position <= o.position
    {_PROMISE.format(of="o")}
) e
"""
_SETTLING: Final = (RequestTargetMet, RequestTargetBreached)
_HELD: Final = {RequestTargetMet.type: "d_margin_seconds >= 0", RequestTargetBreached.type: "d_margin_seconds < 0"}


def rewritten(connection: duckdb.DuckDBPyConnection, promises: Sequence[Promise], types: Collection[str]) -> dict[str, str]:
    """By event type, the SELECT that has its events as they would have been; reads the typed relations of `connection`."""
    if not promises or RequestTargetSet.type not in types:
        return {}
    connection.execute("CREATE OR REPLACE TEMP TABLE trial_promises (policy VARCHAR, priority VARCHAR, kind VARCHAR, seconds BIGINT)")
    rows = [(promise.policy, promise.priority, promise.kind, promise.seconds) for promise in promises]
    connection.executemany("INSERT INTO temp.trial_promises VALUES (?, ?, ?, ?)", rows)
    connection.execute(_SETS.format(relation=relation_of(RequestTargetSet.type)))
    judged = [event for event in (RequestOpened, RequestTriaged) if event.type in types]
    connection.execute(_NOW.format(judged=" UNION ALL ".join(_judged(event) for event in judged)))
    found = {RequestTargetSet.type: _SET.format(relation=relation_of(RequestTargetSet.type))}
    settling = [event for event in _SETTLING if event.type in types]
    if settling:
        settled = " UNION ALL BY NAME ".join(f"SELECT * FROM temp.{relation_of(event.type)}" for event in settling)
        connection.execute(_OUTCOMES.format(settled=settled))
        columns = _columns(connection, relation_of(settling[0].type))
        found |= {event_type: f"SELECT {columns} FROM temp.trial_outcomes WHERE {held}" for event_type, held in _HELD.items()}
    return found


def alike(used: Mapping[type[Event], set[Value]]) -> dict[type[Event], set[Value]]:
    """The same with both outcomes' events alike, since one may become the other."""
    both = used.get(RequestTargetMet, set()) | used.get(RequestTargetBreached, set())
    return {**used, RequestTargetMet: both, RequestTargetBreached: both}


def _judged(event: type[Event]) -> str:
    return (
        f"SELECT position, d_request_id AS request_id, d_category AS category, d_priority AS priority FROM temp.{relation_of(event.type)}"
    )


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    described = connection.execute(f"SELECT * FROM temp.{relation} LIMIT 0").description or []
    return ", ".join(f'"{column[0]}"' for column in described)
