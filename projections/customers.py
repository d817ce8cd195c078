"""Customers: the 360 with its figures, other systems' names for them, fields of the company's own, and the dimension."""

from typing import Final

from domain.contacts.events import ContactAdded, ContactLeft, ContactMadePrimary, ContactMoved, ContactPrimaryLost, ContactRestored
from domain.customers.events import (
    CustomerAddressChanged,
    CustomerArchived,
    CustomerAssigned,
    CustomerClassified,
    CustomerContactDetailsChanged,
    CustomerCustomFieldSet,
    CustomerErased,
    CustomerExternalIdLinked,
    CustomerLifecycleChanged,
    CustomerParentSet,
    CustomerPreferencesNoted,
    CustomerRegistered,
    CustomerRenamed,
    CustomerRestored,
    CustomerRestricted,
    CustomerRestrictionLifted,
)
from domain.event import Event
from domain.interactions.events import InteractionLogged, InteractionRetracted
from domain.opportunities.events import (
    OpportunityAmountChanged,
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityWon,
)
from domain.requests.events import (
    RequestClosed,
    RequestMerged,
    RequestOpened,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestTargetBreached,
    RequestTargetMet,
    RequestWaiting,
)
from domain.surveys.events import SurveyAnswerAmended, SurveyAnswered, SurveySent
from projections.fold import BOTH, Fold, Home
from projections.rules import Column, first, latest, latest_of, less, newest, tally, total
from projections.values import OCCURRED_AT, Const, unless, when

NOTHING: Final = Const(None)

PROFILE: Final[dict[str, Column]] = {
    "kind": latest("kind", CustomerRegistered),
    "name": latest("name", CustomerRegistered, CustomerRenamed),
    "lifecycle": latest("lifecycle", CustomerRegistered, CustomerLifecycleChanged),
    "lifecycle_since": latest(OCCURRED_AT, CustomerRegistered, CustomerLifecycleChanged),
    "owner_id": latest("owner_id", CustomerRegistered, CustomerAssigned),
    "team": latest("team", CustomerRegistered, CustomerAssigned),
    "tier": latest("tier", CustomerClassified),
    "industry": latest("industry", CustomerClassified),
    "size": latest("size", CustomerClassified),
    "tags": latest("tags", CustomerClassified),
    "parent_id": latest("parent_id", CustomerParentSet),
    "region": latest("region", CustomerAddressChanged),
    "country": latest("country", CustomerAddressChanged),
    "language": latest("language", CustomerPreferencesNoted),
    "preferred_channel": latest("channel", CustomerPreferencesNoted),
    "time_zone": latest("time_zone", CustomerPreferencesNoted),
    "archived": latest_of(
        {CustomerRegistered: Const(value=False), CustomerArchived: Const(value=True), CustomerRestored: Const(value=False)}
    ),
    "restricted_at": latest_of({CustomerRestricted: OCCURRED_AT, CustomerRestrictionLifted: NOTHING, CustomerErased: NOTHING}),
    "erased_at": first(OCCURRED_AT, CustomerErased),
    "registered_at": first(OCCURRED_AT, CustomerRegistered),
    "external_source": first("external_source", CustomerRegistered),
    "external_id": first("external_id", CustomerRegistered),
}
"""What a customer is, without what identifies a person."""


def _personal(name: str, *events: type[Event]) -> Column:
    """What identifies the person that a customer is, until they are erased."""
    return latest(name, *events) | latest(NOTHING, CustomerErased)


PERSONAL: Final[dict[str, Column]] = {
    "person_name": _personal("person_name", CustomerRegistered, CustomerRenamed),
    "email": _personal("email", CustomerContactDetailsChanged),
    "phone": _personal("phone", CustomerContactDetailsChanged),
    "website": _personal("website", CustomerContactDetailsChanged),
    "street": _personal("street", CustomerAddressChanged),
    "postal_code": _personal("postal_code", CustomerAddressChanged),
    "city": _personal("city", CustomerAddressChanged),
    "preference_note": _personal("note", CustomerPreferencesNoted),
}

IS_OPEN, WAS_OPEN, WAS_CLOSED = when("status", "open"), when("previous_status", "open"), unless("previous_status", "open")
IS_WON, WAS_WON, WAS_NOT_WON = when("status", "won"), when("previous_status", "won"), unless("previous_status", "won")
WAS_LOST, WAS_NOT_LOST = when("previous_status", "lost"), unless("previous_status", "lost")

DEALS: Final[dict[str, Column]] = {
    "opportunities": tally(plus=[OpportunityOpened]),
    "open_opportunities": tally(plus=[OpportunityOpened])
    | tally(plus=[OpportunityReopened], when=WAS_CLOSED)
    | tally(minus=[OpportunityWon, OpportunityLost], when=WAS_OPEN),
    "open_value": total("base_amount", OpportunityOpened)
    | total("base_amount", OpportunityReopened, when=WAS_CLOSED)
    | less("base_amount", OpportunityWon, OpportunityLost, when=WAS_OPEN)
    | total("base_change", OpportunityAmountChanged, when=IS_OPEN),
    "won_opportunities": tally(plus=[OpportunityWon], when=WAS_NOT_WON) | tally(minus=[OpportunityLost, OpportunityReopened], when=WAS_WON),
    "won_revenue": total("base_amount", OpportunityWon, when=WAS_NOT_WON)
    | less("base_amount", OpportunityLost, OpportunityReopened, when=WAS_WON)
    | total("base_change", OpportunityAmountChanged, when=IS_WON),
    "lost_opportunities": tally(plus=[OpportunityLost], when=WAS_NOT_LOST)
    | tally(minus=[OpportunityWon, OpportunityReopened], when=WAS_LOST),
    "last_opened_at": newest(OCCURRED_AT, OpportunityOpened),
    "last_won_at": newest(OCCURRED_AT, OpportunityWon),
}
"""Deals and their worth in base currency, right whatever came after: closed twice, won after lost, changed after closing."""

CLOSINGS = (RequestOpened, RequestWaiting, RequestResumed, RequestResolved, RequestReopened, RequestClosed, RequestMerged)

SERVICE: Final[dict[str, Column]] = {
    "requests": tally(plus=[RequestOpened]),
    "open_requests": total("open_change", *CLOSINGS),
    "request_reopenings": tally(plus=[RequestReopened]),
    "targets_met": tally(plus=[RequestTargetMet]),
    "targets_breached": tally(plus=[RequestTargetBreached]),
    "last_request_at": newest(OCCURRED_AT, RequestOpened),
}


def _answers(kind: str) -> Column:
    return tally(plus=[SurveyAnswered], when=when("kind", kind))


def _points(kind: str) -> Column:
    return total("score", SurveyAnswered, when=when("kind", kind)) | total("score_change", SurveyAnswerAmended, when=when("kind", kind))


def _scored(kind: str, *scores: int) -> Column:
    """How many answers are one of `scores`, as amended."""
    of_kind = when("kind", kind)
    return (
        tally(plus=[SurveyAnswered], when=(of_kind, when("score", *scores)))
        | tally(plus=[SurveyAnswerAmended], when=(of_kind, when("score", *scores), unless("previous_score", *scores)))
        | tally(minus=[SurveyAnswerAmended], when=(of_kind, unless("score", *scores), when("previous_score", *scores)))
    )


SATISFACTION: Final[dict[str, Column]] = {
    "surveys_sent": tally(plus=[SurveySent]),
    "surveys_answered": tally(plus=[SurveyAnswered]),
    "csat_answers": _answers("csat"),
    "csat_points": _points("csat"),
    "csat_satisfied": _scored("csat", 4, 5),
    "nps_answers": _answers("nps"),
    "nps_promoters": _scored("nps", 9, 10),
    "nps_detractors": _scored("nps", 0, 1, 2, 3, 4, 5, 6),
    "ces_answers": _answers("ces"),
    "ces_points": _points("ces"),
    "last_answered_at": newest(OCCURRED_AT, SurveyAnswered),
}
"""Counts from which CSAT % (satisfied / answers), NPS (100 × (promoters - detractors) / answers) and mean scores follow."""

PEOPLE: Final[dict[str, Column]] = {
    "contacts": tally(plus=[ContactAdded, ContactMoved, ContactRestored], minus=[ContactLeft])
    | tally(minus=[ContactMoved], key=["previous_customer_id"]),
    "primary_contact_id": latest("primary_contact_id", ContactMadePrimary, ContactPrimaryLost),
    "interactions": tally(plus=[InteractionLogged], minus=[InteractionRetracted]),
    "last_contact_at": newest("happened_at", InteractionLogged),
}
"""`last_contact_at` is as first logged; what was corrected or retracted since is in `interactions`."""

CUSTOMER_360: Final = Fold(
    "customer_360",
    homes=[Home.LOOKUPS],
    key="customer_id",
    columns={**PROFILE, **PERSONAL, **PEOPLE, **DEALS, **SERVICE, **SATISFACTION},
    indexes=[["owner_id"], ["lifecycle"], ["parent_id"], ["name"]],
)

CUSTOMERS: Final = Fold("customers", homes=[Home.FACTS], key="customer_id", columns=PROFILE)
"""The dimension that facts are broken down by."""

CUSTOMER_EXTERNAL_IDS: Final = Fold(
    "customer_external_ids",
    homes=[Home.LOOKUPS],
    key=("external_source", "external_id", "customer_id"),
    columns={"since": first(OCCURRED_AT, CustomerRegistered, CustomerExternalIdLinked)},
    indexes=[["customer_id"]],
)

CUSTOMER_FIELDS: Final = Fold(
    "customer_fields",
    homes=BOTH,
    key=("customer_id", "field"),
    columns={
        "kind": latest("kind", CustomerCustomFieldSet),
        "value": latest("value", CustomerCustomFieldSet),
        "personal_value": latest("personal_value", CustomerCustomFieldSet),
        "set_at": latest(OCCURRED_AT, CustomerCustomFieldSet),
    },
    indexes=[["field", "value"]],
)
"""Fields of the company's own; a cleared one has no value."""

FOLDS: Final = (CUSTOMER_360, CUSTOMERS, CUSTOMER_EXTERNAL_IDS, CUSTOMER_FIELDS)
