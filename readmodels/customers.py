"""Customer 360: all that is known of one customer, in a handful of prepared look-ups and one answer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, Text, bindparam, case, func, select

from domain.errors import NotFound
from readmodels.asking import FOLDS as VERSIONS
from readmodels.asking import Lookups, Row, Statement
from readmodels.clocks import clocks, next_due
from readmodels.health import Health, Signs, health
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

CONTACT: Final = ("contact_id", "name", "email", "phone", "title", "role", "is_primary", "since")
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
        current = [_request(request, now) for request in current]
        signs = _signs(profile, current, last_contact_at)
        body = {
            **_profile(profile),
            "external_ids": lookups.rows(self._external_ids, about),
            "custom_fields": [_field(field) for field in fields],
            "contacts": {"count": profile["contacts"], "primary_contact_id": profile["primary_contact_id"], "people": contacts},
            "deals": _deals(profile, deals),
            "requests": _requests(profile, current, past),
            "satisfaction": _satisfaction(profile),
            "interactions": {"count": profile["interactions"], "last_contact_at": last_contact_at, "recent": recent},
            "health": _health(health(signs, now), now),
        }
        return body, profile["position"]

    def _last_contacted(self, lookups: Lookups, about: Row, recent: Sequence[Row]) -> str | None:
        """When the customer and we last spoke; mostly that is among the latest interactions."""
        outward = [each for each in recent if each["direction"] != "internal" and each["kind"] != "note"]
        if not outward and len(recent) == MOST_INTERACTIONS:
            outward = lookups.rows(self._last_contact, about)
        return outward[0]["happened_at"] if outward else None


def _profile(profile: Row) -> Row:
    return {
        "customer_id": profile["customer_id"],
        "name": profile["name"] if profile["kind"] == "company" else profile["person_name"],
        "kind": profile["kind"],
        "lifecycle": profile["lifecycle"],
        "lifecycle_since": profile["lifecycle_since"],
        "owner_id": profile["owner_id"],
        "team": profile["team"],
        "tier": profile["tier"],
        "industry": profile["industry"],
        "size": profile["size"],
        "tags": profile["tags"],
        "parent_id": profile["parent_id"],
        "archived": profile["archived"],
        "registered_at": profile["registered_at"],
        "email": profile["email"],
        "phone": profile["phone"],
        "website": profile["website"],
        "address": {
            "street": profile["street"],
            "postal_code": profile["postal_code"],
            "city": profile["city"],
            "region": profile["region"],
            "country": profile["country"],
        },
        "preferences": {
            "language": profile["language"],
            "channel": profile["preferred_channel"],
            "time_zone": profile["time_zone"],
            "note": profile["preference_note"],
        },
        "erased": profile["erased"],
    }


def _field(field: Row) -> Row:
    value = field["personal_value"] if field["value"] is None else field["value"]
    return {"field": field["field"], "kind": field["kind"], "value": value, "set_at": field["set_at"], "erased": field["erased"]}


def _deals(profile: Row, deals: Sequence[Row]) -> Row:
    return {
        "count": profile["opportunities"],
        "open": profile["open_opportunities"],
        "open_value": profile["open_value"],
        "won": profile["won_opportunities"],
        "won_revenue": profile["won_revenue"],
        "lost": profile["lost_opportunities"],
        "last_opened_at": profile["last_opened_at"],
        "last_won_at": profile["last_won_at"],
        "current": deals,
    }


_SETTLED = ("first_response_due_at", "first_response_outcome", "resolution_due_at", "resolution_outcome")


def _request(request: Row, now: datetime) -> Row:
    found = {**request, **clocks(request, now)}
    for name in _SETTLED:
        del found[name]
    return found


def _requests(profile: Row, current: Sequence[Row], past: Sequence[Row]) -> Row:
    return {
        "count": profile["requests"],
        "open": profile["open_requests"],
        "reopenings": profile["request_reopenings"],
        "targets_met": profile["targets_met"],
        "targets_breached": profile["targets_breached"],
        "last_opened_at": profile["last_request_at"],
        "current": current,
        "past": past,
    }


def _share(part: int, whole: int, times: float = 1.0) -> float | None:
    return times * part / whole if whole else None


def _figures(profile: Row) -> tuple[float | None, float | None, float | None]:
    """CSAT per cent, NPS and mean CES."""
    csat = _share(profile["csat_satisfied"], profile["csat_answers"], 100.0)
    nps = _share(profile["nps_promoters"] - profile["nps_detractors"], profile["nps_answers"], 100.0)
    return csat, nps, _share(profile["ces_points"], profile["ces_answers"])


def _satisfaction(profile: Row) -> Row:
    csat, nps, ces = _figures(profile)
    return {
        "sent": profile["surveys_sent"],
        "answered": profile["surveys_answered"],
        "response_rate": _share(profile["surveys_answered"], profile["surveys_sent"]),
        "csat": {"answers": profile["csat_answers"], "percent": csat, "mean": _share(profile["csat_points"], profile["csat_answers"])},
        "nps": {"answers": profile["nps_answers"], "score": nps},
        "ces": {"answers": profile["ces_answers"], "mean": ces},
        "last_answered_at": profile["last_answered_at"],
    }


def _signs(profile: Row, current: Sequence[Mapping[str, Any]], last_contact_at: str | None) -> Signs:
    csat, nps, ces = _figures(profile)
    return Signs(
        lifecycle=profile["lifecycle"],
        open_deals=profile["open_opportunities"],
        last_contact_at=datetime.fromisoformat(last_contact_at) if last_contact_at else None,
        registered_at=datetime.fromisoformat(profile["registered_at"]) if profile["registered_at"] else None,
        open_requests=profile["open_requests"],
        overdue_requests=sum(request["overdue"] for request in current),
        targets_met=profile["targets_met"],
        targets_breached=profile["targets_breached"],
        csat_percent=csat,
        nps=nps,
        ces_mean=ces,
    )


def _health(found: Health, now: datetime) -> Row:
    reasons = [{"code": reason.code, "verdict": reason.verdict.value, "says": reason.says} for reason in found.reasons]
    return {"verdict": found.verdict.value, "reasons": reasons, "at": now}
