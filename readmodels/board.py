"""The opportunity board: each pipeline's stages in order with their deals, how long these have stood there, and which rot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, select

from domain.errors import NotFound
from readmodels.asking import Lookups, Row
from readmodels.opening import Decrypt, opened

FOLDS: Final = ("customer_360", "opportunities", "pipelines", "stages")
"""The lookups that are asked."""
DAY: Final = 86_400
SHOWN: Final = (
    "opportunity_id", "name", "customer_id", "owner_id", "team", "status", "amount", "currency", "base_amount", "expected_close_on",
    "entered_stage_at", "opened_at", "closed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which board is asked for; a pipeline of None is every one. At most `deals` deals are listed for each stage."""

    pipeline_id: str | None = None
    owner_id: str | None = None
    team: str | None = None
    deals: int = 50


def boards(lookups: Lookups, question: Question, *, decrypt: Decrypt, now: datetime) -> list[Row]:
    """The board of the pipeline asked for, or of every one by name. Raises NotFound `pipeline.unknown`."""
    pipelines = lookups.table("pipelines").c
    found = select(pipelines.pipeline_id, pipelines.name, pipelines.stages).order_by(pipelines.name, pipelines.pipeline_id)
    if question.pipeline_id is not None:
        found = found.where(pipelines.pipeline_id == question.pipeline_id)
    rows = lookups.rows(found)
    if question.pipeline_id is not None and not rows:
        raise NotFound("pipeline.unknown", f"there is no pipeline {question.pipeline_id}")
    return [_board(lookups, question, row, decrypt, now) for row in rows]


def _board(lookups: Lookups, question: Question, pipeline: Row, decrypt: Decrypt, now: datetime) -> Row:
    stages = lookups.table("stages")
    known = {row["stage"]: row for row in lookups.rows(select(stages).where(stages.c.pipeline_id == pipeline["pipeline_id"]))}
    sums = _sums(lookups, question, pipeline["pipeline_id"])
    deals = _deals(lookups, question, pipeline["pipeline_id"], decrypt)
    shown = [known[name] for name in pipeline["stages"] or () if not known[name]["retired"] or name in sums]
    return {
        "pipeline_id": pipeline["pipeline_id"],
        "name": pipeline["name"],
        "stages": [_stage(stage, sums.get(stage["stage"]), deals.get(stage["stage"], ()), now) for stage in shown],
    }


def _wanted(columns: Any, question: Question, pipeline_id: str) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [columns.pipeline_id == pipeline_id]
    wanted += [columns.owner_id == question.owner_id] if question.owner_id is not None else []
    return wanted + ([columns.team == question.team] if question.team is not None else [])


def _sums(lookups: Lookups, question: Question, pipeline_id: str) -> Mapping[str, Row]:
    deals = lookups.table("opportunities").c
    count, value = func.count().label("count"), func.sum(deals.base_amount).label("value")
    found = select(deals.stage, count, value).where(*_wanted(deals, question, pipeline_id)).group_by(deals.stage)
    return {row["stage"]: row for row in lookups.rows(found)}


def _deals(lookups: Lookups, question: Question, pipeline_id: str, decrypt: Decrypt) -> Mapping[str, Sequence[Row]]:
    """The first deals of each stage: open ones that have stood there longest, closed ones that came last."""
    deals, customers = lookups.table("opportunities"), lookups.table("customer_360").c
    here = deals.c
    in_order = (
        case((here["status"] == "open", here["entered_stage_at"])),
        case((here["status"] != "open", here["entered_stage_at"])).desc(),
        here["opportunity_id"],
    )
    place = func.row_number().over(partition_by=here["stage"], order_by=in_order).label("place")
    names = ("stage", *SHOWN)
    ranked = select(*(here[name] for name in names), place).where(*_wanted(here, question, pipeline_id)).subquery()
    found = (
        select(*(ranked.c[name] for name in names), customers.name.label("customer_name"), customers.person_name, customers.erased_at)
        .join_from(ranked, customers.customer_id.table, customers.customer_id == ranked.c.customer_id, isouter=True)
        .where(ranked.c.place <= question.deals)
        .order_by(ranked.c.stage, ranked.c.place)
    )
    rows = lookups.rows(found)
    opened(decrypt, (rows, ("person_name",)))
    by_stage: dict[str, list[Row]] = {}
    for row in rows:
        person, _ = row.pop("person_name"), row.pop("erased_at")
        row["customer_name"] = person if row["customer_name"] is None else row["customer_name"]
        by_stage.setdefault(row.pop("stage"), []).append(row)
    return by_stage


def _stage(stage: Row, sums: Row | None, deals: Sequence[Row], now: datetime) -> Row:
    names = ("stage", "label", "status", "probability", "rotting_days", "retired")
    return {
        **{name: stage[name] for name in names},
        "count": sums["count"] if sums else 0,
        "value": sums["value"] if sums else Decimal(0),
        "deals": [{**deal, **_age(deal, stage["rotting_days"], now)} for deal in deals],
    }


def _age(deal: Row, rotting_days: int | None, now: datetime) -> Row:
    """How long the deal has stood in its stage, in days of 24 hours; it rots when that is longer than the stage allows."""
    days = max(0.0, (now - datetime.fromisoformat(deal["entered_stage_at"])).total_seconds() / DAY)
    return {"age_days": days, "rotting": deal["status"] == "open" and rotting_days is not None and days > rotting_days}
