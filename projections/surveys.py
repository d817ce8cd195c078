"""Surveys: each question put, with its answer."""

from typing import Final

from domain.surveys.events import SurveyAnswerAmended, SurveyAnswered, SurveyExpired, SurveyReminded, SurveySent
from projections.fold import BOTH, Fold
from projections.rules import earliest, first, latest, tally
from projections.values import OCCURRED_AT, unless

TOLD = (SurveySent, SurveyAnswered)

SURVEYS: Final = Fold(
    "surveys",
    homes=BOTH,
    key="survey_id",
    columns={
        "customer_id": latest("customer_id", *TOLD),
        "contact_id": latest("contact_id", *TOLD),
        "kind": latest("kind", *TOLD),
        "about": latest("about", *TOLD),
        "request_id": latest("request_id", *TOLD),
        "interaction_id": latest("interaction_id", *TOLD),
        "order_ref": latest("order_ref", *TOLD),
        "agent": latest("agent", *TOLD),
        "team": latest("team", *TOLD),
        "category": latest("category", *TOLD),
        "channel": latest("channel", *TOLD),
        "product": latest("product", *TOLD),
        "sent_at": earliest("sent_at", *TOLD),
        "reminders": tally(plus=[SurveyReminded]),
        "answered_at": first(OCCURRED_AT, SurveyAnswered),
        "score": latest("score", SurveyAnswered, SurveyAnswerAmended),
        "first_score": first("score", SurveyAnswered),
        "comment": latest("comment", SurveyAnswered) | latest("comment", SurveyAnswerAmended, when=unless("comment", None)),
        "amendments": tally(plus=[SurveyAnswerAmended]),
        "expired_at": latest(OCCURRED_AT, SurveyExpired),
        "external_source": first("external_source", SurveySent),
        "external_id": first("external_id", SurveySent),
    },
    indexes=[["customer_id"], ["request_id"], ["interaction_id"]],
)
"""A survey that was sent, with its one answer as amended; `answered_at` and `score` are empty while there is none."""

FOLDS: Final = (SURVEYS,)
