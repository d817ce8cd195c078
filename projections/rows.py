"""The rows that typed events make by themselves: a fold compiled to one DuckDB query, for bulk.

First only marks and figures are grouped, which are narrow: which event won each cell. Then the values of the winners, which may be
long texts, are taken from the events by their positions. Grouping the values themselves takes half as long again, and their memory.
Columns that no event has in common are grouped apart from each other, because every column costs something for every event.
"""

from collections.abc import Iterable, Sequence

from projections.plan import Lane, Plan, Route
from projections.rules import MARKED, Order, Rule
from projections.sql import aggregate, chosen, contribution, lane_columns, mark_column, quoted, relation_of, speaking, value_column
from readmodels.facts import NATIVE


def rows_of(plan: Plan, lanes: Sequence[Lane], types: Iterable[str]) -> str | None:
    """SELECT the rows that the events of `types`, read from `relation_of(type)`, make: one for each key; None when they make none."""
    present = frozenset(types)
    routes = [route for event_type, found in plan.routes.items() if event_type in present for route in found]
    if plan.fold.per_event:
        return " UNION ALL ".join(select for route in routes if (select := contribution(plan, lanes, route))) or None
    groups = _together(lanes, routes)
    if not groups:
        return None
    keys = [quoted(name) for name in plan.fold.key]
    columns = [f"won.{name}" for name in keys]
    joins: list[str] = []
    for place, lane in enumerate(lanes):
        columns += _shown(lane, f"v{place}") if (values := _values(lane, routes)) or not _by_position(lane) else _nothing(lane)
        if values:
            joins.append(f"LEFT JOIN ({values}) AS v{place} ON v{place}.position = won.{_figure(lane)}")
    return f"SELECT {', '.join(columns)} FROM ({_figures(plan, groups, routes)}) AS won {' '.join(joins)}"


def _together(lanes: Sequence[Lane], routes: Sequence[Route]) -> list[list[Lane]]:
    """The lanes in groups, those that the same events speak to in one; lanes that none speaks to are in the first."""
    found: list[list[Lane]] = []
    for route in routes:
        said = [part.lane for part in route.parts if part.lane in lanes]
        met = [group for group in found if not set(said).isdisjoint(group)]
        if said:
            together = {*said, *(lane for group in met for lane in group)}
            found = [*(group for group in found if group not in met), [lane for lane in lanes if lane in together]]
    spoken = {lane for group in found for lane in group}
    return [[*found[0], *(lane for lane in lanes if lane not in spoken)], *found[1:]] if found else []


def _figures(plan: Plan, groups: Sequence[Sequence[Lane]], routes: Sequence[Route]) -> str:
    """SELECT marks and figures by key. Each group of lanes has only its own events to look at."""
    keys = ", ".join(quoted(name) for name in plan.fold.key)
    columns = ", ".join(_present(lane) for lanes in groups for lane in lanes)
    grouped: list[str] = []
    for lanes in groups:
        said = " UNION ALL ".join(select for route in routes if (select := _marks(plan, lanes, route)))
        figures = ", ".join(f"{_best(lane)} AS {_figure(lane)}" for lane in lanes)
        grouped.append(f"(SELECT {keys}, {figures} FROM ({said}) GROUP BY {keys})")
    joined = " ".join([grouped[0], *(f"FULL JOIN {group} USING ({keys})" for group in grouped[1:])])
    return f"SELECT {keys}, {columns} FROM {joined}"


def _present(lane: Lane) -> str:
    """A figure that a key without any of its events has as well."""
    figure = _figure(lane)
    match lane.rule:
        case Rule.TOTAL:
            return f"coalesce({figure}, 0)::{NATIVE[lane.kinds[0]]} AS {figure}"
        case Rule.DISTINCT:
            return f"coalesce({figure}, []) AS {figure}"
        case _:
            return figure


def narrow_rows_of(plan: Plan, lanes: Sequence[Lane], types: Iterable[str]) -> str | None:
    """The same where the rows have few columns: values are grouped along with their marks, so that each event is read but once."""
    present = frozenset(types)
    routes = [route for event_type, found in plan.routes.items() if event_type in present for route in found]
    said = " UNION ALL ".join(select for route in routes if (select := contribution(plan, lanes, route)))
    if plan.fold.per_event or not said:
        return said or None
    keys = ", ".join(quoted(name) for name in plan.fold.key)
    cells = ", ".join(cell for lane in lanes for cell in _carried(lane))
    return f"SELECT {keys}, {cells} FROM ({said}) GROUP BY {keys}"


def _carried(lane: Lane) -> list[str]:
    if lane.rule not in MARKED:
        return [f"{aggregate(lane)} AS {quoted(lane.names[0])}"]
    best, mark = "min" if lane.rule is Rule.FIRST else "max", quoted(lane.mark_name)
    values = [f"arg_{best}_null({quoted(name)}, {mark}) AS {quoted(name)}" for name in lane.names]
    return [f"{best}({mark}) AS {mark}", *values]


def _by_position(lane: Lane) -> bool:
    """Whether the lane's values can be found by the mark they won by."""
    return lane.rule in MARKED and lane.order is Order.POSITION


def _figure(lane: Lane) -> str:
    return quoted(lane.mark_name if _by_position(lane) else lane.names[0])


def _best(lane: Lane) -> str:
    if not _by_position(lane):
        return aggregate(lane)
    return f"{'min' if lane.rule is Rule.FIRST else 'max'}({quoted(lane.mark_name)})"


def _marks(plan: Plan, lanes: Sequence[Lane], route: Route) -> str | None:
    """What each event says of marks and figures; None when it says nothing to these lanes."""
    parts = {lane: [part for part in route.parts if part.lane is lane] for lane in lanes}
    if not any(parts.values()):
        return None
    columns: list[str] = []
    for lane in lanes:
        columns += [mark_column(lane, parts[lane], route.event)] if _by_position(lane) else lane_columns(lane, parts[lane], route.event)
    return chosen(plan, route, columns, [part for some in parts.values() for part in some])


def _values(lane: Lane, routes: Sequence[Route]) -> str:
    """The values of a lane with the position of the event they are from; empty when no event here speaks to it."""
    if not _by_position(lane):
        return ""
    selects: list[str] = []
    for route in routes:
        parts = [part for part in route.parts if part.lane is lane]
        if parts:
            columns = [value_column(lane, place, parts, route.event) for place in range(len(lane.names))]
            said = speaking(parts, route.event)
            where = f" WHERE {said}" if said else ""
            selects.append(f"SELECT position, {', '.join(columns)} FROM {relation_of(route.event.type)}{where}")
    return " UNION ALL ".join(selects)


def _shown(lane: Lane, values: str) -> list[str]:
    if _by_position(lane):
        return [f"won.{quoted(lane.mark_name)}", *(f"{values}.{quoted(name)}" for name in lane.names)]
    if lane.rule in MARKED:
        figure = f"won.{_figure(lane)}"
        return [
            f"{figure}.m AS {quoted(lane.mark_name)}",
            *(f"{figure}.v{place} AS {quoted(name)}" for place, name in enumerate(lane.names)),
        ]
    return [f"won.{quoted(lane.names[0])}"]


def _nothing(lane: Lane) -> list[str]:
    """A lane that no event here speaks to."""
    empty = [f"NULL::{NATIVE[kind]} AS {quoted(name)}" for name, kind in zip(lane.names, lane.kinds, strict=True)]
    return [f"won.{quoted(lane.mark_name)}", *empty]
