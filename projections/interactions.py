"""Interactions: calls, e-mails, meetings and the like, as corrected."""

from typing import Final

from domain.interactions.events import InteractionCorrected, InteractionLogged, InteractionRetracted
from projections.fold import BOTH, Fold
from projections.rules import first, latest, latest_of, tally
from projections.values import OCCURRED_AT, RECORDED_AT, Const

TOLD = (InteractionLogged, InteractionCorrected)
ALL = (*TOLD, InteractionRetracted)

INTERACTIONS: Final = Fold(
    "interactions",
    homes=BOTH,
    key="interaction_id",
    columns={
        "customer_id": latest("customer_id", *ALL),
        "contact_id": latest("contact_id", *ALL),
        "opportunity_id": latest("opportunity_id", *ALL),
        "request_id": latest("request_id", *ALL),
        "campaign": latest("campaign", *ALL),
        "owner_id": latest("owner_id", *ALL),
        "team": latest("team", *ALL),
        "kind": latest("kind", *ALL),
        "direction": latest("direction", *ALL),
        "happened_at": latest("happened_at", *ALL),
        "duration_seconds": latest("duration_seconds", *ALL),
        "retracted": latest_of(
            {InteractionLogged: Const(value=False), InteractionCorrected: Const(value=False), InteractionRetracted: Const(value=True)}
        ),
        "participant_count": latest("participant_count", *TOLD),
        "subject": latest("subject", *TOLD),
        "summary": latest("summary", *TOLD),
        "participants": latest("participants", *TOLD),
        "corrections": tally(plus=[InteractionCorrected]),
        "logged_at": first(RECORDED_AT, InteractionLogged),
        "first_said_to_happen_at": first(OCCURRED_AT, InteractionLogged),
        "external_source": first("external_source", InteractionLogged),
        "external_id": first("external_id", InteractionLogged),
    },
    indexes=[["customer_id", "happened_at"], ["contact_id"], ["opportunity_id"], ["request_id"]],
)
"""An interaction as we know it now; retracted ones stay, marked. `logged_at` is when we learnt of it."""

FOLDS: Final = (INTERACTIONS,)
