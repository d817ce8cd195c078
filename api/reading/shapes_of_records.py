"""How customers, boards, queues and lists look; most of it is read off the read models' own columns."""

from collections.abc import Mapping
from datetime import datetime
from types import GenericAlias
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, create_model

from api.reading.shapes import AmountText, Body, Clocks, HealthOfCustomer, Row, Share, row_model
from projections.catalogue import layouts
from projections.fold import Home
from readmodels import board, customers, queue
from readmodels.layout import Layout
from readmodels.lists import LISTS, Listed
from readmodels.opening import personal_columns

LAYOUTS: Final[Mapping[str, Layout]] = {layout.name: layout for layout in layouts(Home.LOOKUPS)}

CLOCKS: Final[Mapping[str, Any]] = {name: field.annotation for name, field in Clocks.model_fields.items()}
Erased = {"erased": bool}

ContactOfCustomer = row_model("ContactOfCustomer", LAYOUTS["contacts"], *customers.CONTACT, **Erased)
DealOfCustomer = row_model("DealOfCustomer", LAYOUTS["opportunities"], *customers.DEAL)
OpenRequest = row_model("OpenRequest", LAYOUTS["requests"], *customers.REQUEST[:-4], **Erased, **CLOCKS)
PastRequest = row_model("PastRequest", LAYOUTS["requests"], *customers.PAST_REQUEST, **Erased)
RecentInteraction = row_model("RecentInteraction", LAYOUTS["interactions"], *customers.INTERACTION, **Erased)
QueuedRequest = row_model("QueuedRequest", LAYOUTS["requests"], *queue.SHOWN, customer_name=str | None, **Erased, **CLOCKS)
DealOnBoard = row_model(
    "DealOnBoard", LAYOUTS["opportunities"], *board.SHOWN, customer_name=str | None, age_days=float, rotting=bool, **Erased
)


class Address(Body):
    """Where a customer is."""

    street: str | None
    postal_code: str | None
    city: str | None
    region: str | None
    country: str | None


class Preferences(Body):
    """How a customer likes to be dealt with."""

    language: str | None
    channel: str | None
    time_zone: str | None
    note: str | None


class ExternalName(Body):
    """Another system's name for a customer."""

    source: str
    id: str
    since: datetime | None


class CustomField(Body):
    """A field of the company's own."""

    field: str
    kind: str | None
    value: str | None
    set_at: datetime | None
    erased: bool


class Contacts(Body):
    """The people at a customer; the first of them, the primary one in front."""

    count: int
    primary_contact_id: UUID | None
    people: list[ContactOfCustomer]  # type: ignore[valid-type]


class Deals(Body):
    """A customer's deals, worth in base currency; the largest open ones."""

    count: int
    open: int
    open_value: AmountText
    won: int
    won_revenue: AmountText
    lost: int
    last_opened_at: datetime | None
    last_won_at: datetime | None
    current: list[DealOfCustomer]  # type: ignore[valid-type]


class Requests(Body):
    """A customer's service requests: open ones by when they are due, and the last of the others."""

    count: int
    open: int
    reopenings: int
    targets_met: int
    targets_breached: int
    last_opened_at: datetime | None
    current: list[OpenRequest]  # type: ignore[valid-type]
    past: list[PastRequest]  # type: ignore[valid-type]


class Csat(Body):
    """Scores from 1 to 5; the share of 4 and 5 in per cent."""

    answers: int
    percent: float | None
    mean: float | None


class Nps(Body):
    """Scores from 0 to 10; promoters minus detractors in per cent."""

    answers: int
    score: float | None


class Ces(Body):
    """Scores from 1 to 7."""

    answers: int
    mean: float | None


class SatisfactionOfCustomer(Body):
    """What a customer answered."""

    sent: int
    answered: int
    response_rate: Share | None
    csat: Csat
    nps: Nps
    ces: Ces
    last_answered_at: datetime | None


class Interactions(Body):
    """A customer's interactions; the latest ones."""

    count: int
    last_contact_at: datetime | None
    recent: list[RecentInteraction]  # type: ignore[valid-type]


PROFILE: Final = (
    "customer_id", "kind", "lifecycle", "lifecycle_since", "owner_id", "team", "tier", "industry", "size", "tags", "parent_id", "archived",
    "registered_at", "restricted_at", "erased_at", "email", "phone", "website",
)  # fmt: skip

CustomerBody = row_model(
    "Customer",
    LAYOUTS["customer_360"],
    *PROFILE,
    name=str | None,
    address=Address,
    preferences=Preferences,
    erased=bool,
    external_ids=list[ExternalName],
    custom_fields=list[CustomField],
    contacts=Contacts,
    deals=Deals,
    requests=Requests,
    satisfaction=SatisfactionOfCustomer,
    interactions=Interactions,
    health=HealthOfCustomer,
)


class BoardStage(Body):
    """A column of the board: all its deals counted and summed up, the first of them shown."""

    stage: str
    label: str | None
    status: str | None
    probability: int | None
    rotting_days: int | None
    retired: bool | None
    count: int
    value: AmountText
    deals: list[DealOnBoard]  # type: ignore[valid-type]


class Board(Body):
    """A pipeline's board."""

    pipeline_id: UUID
    name: str
    stages: list[BoardStage]


class BoardBody(Body):
    """The board of one pipeline, or of each."""

    currency: str
    boards: list[Board]


class QueueBody(Body):
    """A page of the queue."""

    items: list[QueuedRequest]  # type: ignore[valid-type]
    next: str | None


def _record_model(what: Listed) -> type[BaseModel]:
    layout = LAYOUTS[what.fold]
    others: dict[str, Any] = dict(Erased) if personal_columns(layout) else {}
    if what.fold == "pipelines":
        stages = [name for name in LAYOUTS["stages"].shown if name != "pipeline_id"]
        others["stages"] = list[row_model("Stage", LAYOUTS["stages"], *stages)]
    return row_model(f"{what.record.capitalize()}Row", layout, **others)


RECORDS: Final[Mapping[str, type[BaseModel]]] = {what.name: _record_model(what) for what in LISTS}


def _page_model(name: str, model: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {"items": (GenericAlias(list, model), ...), "next": (str | None, ...)}
    return create_model(f"{name.capitalize()}Page", __base__=Row, **fields)


PAGES: Final[Mapping[str, type[BaseModel]]] = {name: _page_model(name, model) for name, model in RECORDS.items()}
