"""Lists of records: equality on some of their columns, in the order of their ids, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from domain.errors import NotFound
from readmodels.asking import Lookups, Row
from readmodels.cursors import beyond
from readmodels.layout import Layout
from readmodels.opening import Decrypt, opened, personal_columns

EXTERNAL: Final = ("external_source", "external_id")


@dataclass(frozen=True, slots=True)
class Listed:
    """A kind of record that can be listed: from which read model, and by which columns it can be chosen."""

    name: str
    """In the plural, as addresses have it."""
    record: str
    fold: str
    filters: tuple[str, ...]

    @property
    def key(self) -> str:
        """The column of the record's id."""
        return f"{self.record}_id"

    @property
    def folds(self) -> tuple[str, ...]:
        """The lookups that are asked."""
        return (self.fold, "stages") if self.fold == "pipelines" else (self.fold,)


LISTS: Final = (
    Listed(
        "customers",
        "customer",
        "customer_360",
        (
            "kind",
            "name",
            "lifecycle",
            "owner_id",
            "team",
            "tier",
            "industry",
            "size",
            "region",
            "country",
            "parent_id",
            "archived",
            *EXTERNAL,
        ),
    ),
    Listed("contacts", "contact", "contacts", ("customer_id", "role", "is_primary", *EXTERNAL)),
    Listed(
        "opportunities",
        "opportunity",
        "opportunities",
        ("customer_id", "pipeline_id", "owner_id", "team", "stage", "status", "lead_source", "forecast_category", *EXTERNAL),
    ),
    Listed(
        "requests",
        "request",
        "requests",
        ("customer_id", "contact_id", "agent", "team", "category", "priority", "channel", "status", "product", "order_ref", *EXTERNAL),
    ),
    Listed(
        "interactions",
        "interaction",
        "interactions",
        (
            "customer_id",
            "contact_id",
            "opportunity_id",
            "request_id",
            "owner_id",
            "team",
            "kind",
            "direction",
            "campaign",
            "retracted",
            *EXTERNAL,
        ),
    ),
    Listed(
        "surveys",
        "survey",
        "surveys",
        (
            "customer_id",
            "contact_id",
            "kind",
            "about",
            "request_id",
            "interaction_id",
            "order_ref",
            "agent",
            "team",
            "category",
            "channel",
            "product",
            *EXTERNAL,
        ),
    ),
    Listed("pipelines", "pipeline", "pipelines", ("name", *EXTERNAL)),
)


def listed(
    lookups: Lookups,
    what: Listed,
    layout: Layout,
    equal: Mapping[str, Any],
    *,
    limit: int,
    decrypt: Decrypt,
    after: Sequence[Any] | None = None,
) -> list[Row]:
    """At most `limit` records whose columns have the values in `equal`, in the order of their ids, beyond the id `after`."""
    table = lookups.table(what.fold)
    key = table.c[what.key]
    found = select(table).where(*(table.c[name] == value for name, value in equal.items())).order_by(key).limit(limit)
    if after:
        found = found.where(beyond([key], after))
    rows = lookups.rows(found)
    if personal := personal_columns(layout):
        opened(decrypt, (rows, personal))
    return with_stages(lookups, rows) if what.fold == "pipelines" else rows


def record(lookups: Lookups, what: Listed, layout: Layout, record_id: str, *, decrypt: Decrypt) -> Row:
    """One record by its id. Raises NotFound `<record>.unknown`."""
    found = listed(lookups, what, layout, {what.key: record_id}, limit=1, decrypt=decrypt)
    if not found:
        raise NotFound(f"{what.record}.unknown", f"there is no {what.record} {record_id}")
    return found[0]


def with_stages(lookups: Lookups, pipelines: Sequence[Row]) -> list[Row]:
    """Pipelines with their stages in order in the place of the stages' names."""
    stages = lookups.table("stages")
    rows = lookups.rows(select(stages).where(stages.c.pipeline_id.in_([pipeline["pipeline_id"] for pipeline in pipelines])))
    by_name = {(row.pop("pipeline_id"), row["stage"]): row for row in rows}
    return [
        {
            **pipeline,
            "stages": [
                by_name[pipeline["pipeline_id"], name] for name in pipeline["stages"] or () if (pipeline["pipeline_id"], name) in by_name
            ],
        }
        for pipeline in pipelines
    ]
