"""Customer 360: all that is known of one customer, in a handful of prepared look-ups and one answer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, Text, bindparam, case, func, select

from domain.errors import NotFound
from readmodels.asking import FOLDS as VERSIONS
from readmodels.asking import Lookups, Row, Statement
from readmodels.clocks import next_due
from readmodels.customer_answer import deals_of, field_of, health_of, profile_of, request_of, requests_of, satisfaction_of, signs_of
from readmodels.health import health
from readmodels.layout import State
from readmodels.opening import Decrypt, opened

FOLDS: Final = ("contacts", "customer_360", "customer_external_ids", "customer_fields", "interactions", "opportunities", "requests")
"""The lookups that are asked."""

MOST_CONTACTS: Final = 20
MOST_DEALS: Final = 20
MOST_OPEN_REQUESTS: Final = 50
MOST_PAST_REQUESTS: Final = 5
MOST_INTERACTIONS: Final = 5
BACKLOG: Final = ("open", "waiting")

CONTACT: Final = ("contact_id", "name", "email", "phone", "title", "role", "is_primary", "since", "restricted_at", "erased_at")
DEAL: Final = (
    "opportunity_id", "name", "pipeline_id", "stage", "owner_id", "team", "amount", "currency", "base_amount", "expected_close_on",
    "opened_at", "entered_stage_at",
)  # fmt: skip
REQUEST: Final = (
    "request_id", "subject", "status", "priority", "category", "channel", "agent", "team", "opened_at", "resolved_at", "closed_at",
    "waiting_on", "waiting_since", "first_response_due_at", "first_response_outcome", "resolution_due_at", "resolution_outcome",
)  # fmt: skip
PAST_REQUEST: Final = REQUEST[:11]
INTERACTION: Final = ("interaction_id", "kind", "direction", "happened_at", "duration_seconds", "contact_id", "owner_id", "subject")

PERSONAL: Final = ("person_name", "email", "phone", "website", "street", "postal_code", "city", "preference_note")
PERSONAL_CONTACT: Final = ("name", "email", "phone")
SUBJECT: Final = ("subject",)
PERSONAL_FIELD: Final = ("personal_value",)


class CustomerReader:
    """Asks for customers; its statements are made once, so that they stay prepared."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        customer_id = bindparam("customer_id", None, Text())
        contacts, deals, requests, interactions = (table(name).c for name in ("contacts", "opportunities", "requests", "interactions"))
        external, fields = table("customer_external_ids").c, table("customer_fields").c
        past = case((requests.status.in_(BACKLOG), 0), else_=1)
        there = (interactions.customer_id == customer_id, interactions.retracted.is_(False))

        def columns(of: Any, names: Sequence[str]) -> Statement:
            return select(*(of[name] for name in names)).where(of.customer_id == customer_id)

        position = select(func.min(VERSIONS.c.position)).where(VERSIONS.c.state == State.SERVING.value, VERSIONS.c.fold.in_(FOLDS))
        self._profile = select(table("customer_360"), position.scalar_subquery().label("position")).where(
            table("customer_360").c.customer_id == customer_id
        )
        self._contacts = (
            columns(contacts, CONTACT)
            .where(contacts.left_at.is_(None))
            .order_by(contacts.is_primary.desc(), contacts.since, contacts.contact_id)
            .limit(MOST_CONTACTS)
        )
        self._deals = (
            columns(deals, DEAL).where(deals.status == "open").order_by(deals.base_amount.desc(), deals.opportunity_id).limit(MOST_DEALS)
        )
        self._open_requests = (
            columns(requests, REQUEST).where(past == 0).order_by(next_due(table("requests")), requests.request_id).limit(MOST_OPEN_REQUESTS)
        )
        self._past_requests = (
            columns(requests, PAST_REQUEST)
            .where(past == 1)
            .order_by(requests.opened_at.desc(), requests.request_id)
            .limit(MOST_PAST_REQUESTS)
        )
        latest = (interactions.happened_at.desc(), interactions.interaction_id)
        self._interactions = select(*(interactions[name] for name in INTERACTION)).where(*there).order_by(*latest).limit(MOST_INTERACTIONS)
        outward = (interactions.direction != "internal", interactions.kind != "note")
        self._last_contact = select(interactions.happened_at).where(*there, *outward).order_by(*latest).limit(1)
        self._external_ids = (
            select(external.external_source.label("source"), external.external_id.label("id"), external.since)
            .where(external.customer_id == customer_id)
            .order_by(external.since, external.external_source, external.external_id)
        )
        self._fields = columns(fields, ("field", "kind", "value", "personal_value", "set_at")).order_by(fields.field)
        self._named = select(external.customer_id).where(
            external.external_source == bindparam("source", None, Text()), external.external_id == bindparam("id", None, Text())
        )

    def id_of(self, lookups: Lookups, source: str, external_id: str) -> str:
        """The customer that another system knows by this name. Raises NotFound `customer.unknown`."""
        found = lookups.rows(self._named, {"source": source, "id": external_id})
        if not found:
            raise NotFound("customer.unknown", f"no customer is known to {source[:100]} as {external_id[:100]}")
        return found[0]["customer_id"]

    def customer(self, lookups: Lookups, customer_id: str | UUID, *, decrypt: Decrypt, now: datetime) -> tuple[Row, int]:
        """The customer as JSON has it, personal fields readable (None where forgotten), and up to which event that is true.

        Raises NotFound `customer.unknown`.
        """
        about = {"customer_id": str(customer_id)}
        found = lookups.rows(self._profile, about)
        if not found:
            raise NotFound("customer.unknown", f"there is no customer {customer_id}")
        profile = found[0]
        contacts = lookups.rows(self._contacts, about)
        # What the profile knows to be nothing is not asked for; these three counts are exact whatever was reported.
        deals = lookups.rows(self._deals, about) if profile["open_opportunities"] else []
        current = lookups.rows(self._open_requests, about) if profile["open_requests"] else []
        past = lookups.rows(self._past_requests, about) if profile["requests"] > len(current) else []
        recent = lookups.rows(self._interactions, about) if profile["last_contact_at"] else []
        fields = lookups.rows(self._fields, about)
        opened(
            decrypt,
            (found, PERSONAL),
            (contacts, PERSONAL_CONTACT),
            (current, SUBJECT),
            (past, SUBJECT),
            (recent, SUBJECT),
            (fields, PERSONAL_FIELD),
        )
        last_contact_at = self._last_contacted(lookups, about, recent)
        current = [request_of(request, now) for request in current]
        signs = signs_of(profile, current, last_contact_at)
        body = {
            **profile_of(profile),
            "external_ids": lookups.rows(self._external_ids, about),
            "custom_fields": [field_of(field) for field in fields],
            "contacts": {"count": profile["contacts"], "primary_contact_id": profile["primary_contact_id"], "people": contacts},
            "deals": deals_of(profile, deals),
            "requests": requests_of(profile, current, past),
            "satisfaction": satisfaction_of(profile),
            "interactions": {"count": profile["interactions"], "last_contact_at": last_contact_at, "recent": recent},
            "health": health_of(health(signs, now), now),
        }
        return body, profile["position"]

    def _last_contacted(self, lookups: Lookups, about: Row, recent: Sequence[Row]) -> str | None:
        """When the customer and we last spoke; mostly that is among the latest interactions."""
        outward = [each for each in recent if each["direction"] != "internal" and each["kind"] != "note"]
        if not outward and len(recent) == MOST_INTERACTIONS:
            outward = lookups.rows(self._last_contact, about)
        return outward[0]["happened_at"] if outward else None
