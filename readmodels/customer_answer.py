"""How the rows that are about one customer become the parts of one answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from readmodels.asking import Row
from readmodels.clocks import clocks
from readmodels.health import Health, Signs


def profile_of(profile: Row) -> Row:
    """What a customer is and how it is reached."""
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
        "restricted_at": profile["restricted_at"],
        "erased_at": profile["erased_at"],
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


def field_of(field: Row) -> Row:
    """A field of the company's own, whichever way its value is kept."""
    value = field["personal_value"] if field["value"] is None else field["value"]
    return {"field": field["field"], "kind": field["kind"], "value": value, "set_at": field["set_at"], "erased": field["erased"]}


def deals_of(profile: Row, deals: Sequence[Row]) -> Row:
    """What the deals came to, with the open ones."""
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


def request_of(request: Row, now: datetime) -> Row:
    """A request with its clocks in the place of its targets."""
    found = {**request, **clocks(request, now)}
    for name in _SETTLED:
        del found[name]
    return found


def requests_of(profile: Row, current: Sequence[Row], past: Sequence[Row]) -> Row:
    """What the requests came to, with those that are open and the last of the others."""
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


def satisfaction_of(profile: Row) -> Row:
    """What the customer answered; docs/figures.md has the formulas."""
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


def signs_of(profile: Row, current: Sequence[Mapping[str, Any]], last_contact_at: str | None) -> Signs:
    """What the rules of health look at."""
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


def health_of(found: Health, now: datetime) -> Row:
    """The verdict with its reasons."""
    reasons = [{"code": reason.code, "verdict": reason.verdict.value, "says": reason.says} for reason in found.reasons]
    return {"verdict": found.verdict.value, "reasons": reasons, "at": now}
