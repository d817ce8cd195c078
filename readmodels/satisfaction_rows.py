"""The surveys behind one number of satisfaction; they come to it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from domain.errors import NotFound
from readmodels.asking import Facts
from readmodels.figure_rows import Found, Measure, Rule, Told, rows_behind
from readmodels.satisfaction import CHOSEN, Question, Survey, parameters_of, pieces_of, satisfaction


class Number(StrEnum):
    """The numbers that satisfaction has; `distribution` is that of one score."""

    SENT = "sent"
    SENT_AND_ANSWERED = "sent_and_answered"
    RESPONSE_RATE = "response_rate"
    ANSWERS = "answers"
    FIGURE = "figure"
    MEAN = "mean"
    DISTRIBUTION = "distribution"


_SURVEYS: Final = f"""
{CHOSEN},
bars AS (
    SELECT survey_id AS id, score, answered_at, sent_then AND sent_grp::VARCHAR IS NOT DISTINCT FROM $group AS sent,
           answered_then AND answered_grp::VARCHAR IS NOT DISTINCT FROM $group AS answered
    FROM chosen
)
"""
_FIGURES: Final[Mapping[Survey, str]] = {
    Survey.CSAT: "CASE WHEN score >= 4 THEN 100 ELSE 0 END",
    Survey.NPS: "CASE WHEN score >= 9 THEN 100 WHEN score <= 6 THEN -100 ELSE 0 END",
    Survey.CES: "score",
}
_SURVEY: Final = Told("surveys", "survey_id", ("kind AS name", "customer_id::VARCHAR AS customer_id"))


def number_shown(facts: Facts, question: Question, group: str | None, number: Number, score: int | None) -> Any:
    """What satisfaction shows there. Raises NotFound `bar.unknown`."""
    found = next((each for each in satisfaction(facts, question).groups if each.group == group), None)
    if found is None:
        raise NotFound("bar.unknown", f"there is no {question.survey} of {f'group {group}' if group else 'no group'} there")
    if number is not Number.DISTRIBUTION:
        return getattr(found, number.value)
    if score not in found.distribution:
        raise NotFound("bar.unknown", f"the scores of {question.survey} are {', '.join(map(str, found.distribution))}; give one as `score`")
    return found.distribution[score]


def surveys_behind(
    facts: Facts,
    question: Question,
    group: str | None,
    number: Number,
    score: int | None,
    *,
    limit: int,
    after: Sequence[Any] | None = None,
) -> Found:
    """The surveys behind one number: at most `limit`, those that count most first, beyond a place."""
    given = parameters_of(question) | {"group": group}
    measure = _measure(question.survey, number)
    if number is Number.DISTRIBUTION:
        given["score"] = score
    return rows_behind(facts, _SURVEYS.format(**pieces_of(question)), measure, _SURVEY, given, limit=limit, after=after)


def _measure(survey: Survey, number: Number) -> Measure:
    match number:
        case Number.SENT:
            return Measure(Rule.SUM, "sent", "1")
        case Number.SENT_AND_ANSWERED:
            return Measure(Rule.SUM, "sent AND answered_at IS NOT NULL", "1")
        case Number.RESPONSE_RATE:
            return Measure(Rule.MEAN, "sent", "(answered_at IS NOT NULL)::INTEGER")
        case Number.ANSWERS:
            return Measure(Rule.SUM, "answered", "1")
        case Number.FIGURE:
            return Measure(Rule.MEAN, "answered", _FIGURES[survey])
        case Number.MEAN:
            return Measure(Rule.MEAN, "answered", "score")
        case Number.DISTRIBUTION:
            return Measure(Rule.SUM, "answered AND score = $score", "1")
