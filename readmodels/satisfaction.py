"""Satisfaction: what customers answered to surveys, by question and by what the surveys were about.

- **CSAT** (scale 1–5) is the share of answers of 4 or 5 in per cent, the usual “top two box”.
- **NPS** (scale 0–10) is the percentage of promoters (9, 10) minus that of detractors (0–6), from −100 to 100
  (F. Reichheld, “The One Number You Need to Grow”, Harvard Business Review, December 2003).
- **CES** (scale 1–7, 7 is easiest) is the mean score (M. Dixon et al., “Stop Trying to Delight Your Customers”, Harvard
  Business Review, July 2010; the seven-point agreement scale is CES 2.0).
- The **response rate** is answered surveys ÷ sent surveys, of those sent in the period.

An amended answer counts with its last score. Answers belong to the period in which they were first given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from readmodels.asking import Facts, Row
from readmodels.breakdown import PERIODS, within

FOLDS: Final = ("customers", "surveys")
"""The facts that are asked."""


class Survey(StrEnum):
    """The three questions."""

    CSAT = "csat"
    NPS = "nps"
    CES = "ces"


SCALES: Final = {Survey.CSAT: range(1, 6), Survey.NPS: range(11), Survey.CES: range(1, 8)}


class By(StrEnum):
    """What satisfaction can be broken down by; week (ISO), month, quarter and year give its trend."""

    NOTHING = "nothing"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    AGENT = "agent"
    TEAM = "team"
    CATEGORY = "category"
    CHANNEL = "channel"
    PRODUCT = "product"
    SEGMENT = "segment"
    TIER = "tier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which answers are asked for: days are UTC, from `since` up to but without `until`; filters that are None take all."""

    survey: Survey = Survey.CSAT
    by: By = By.NOTHING
    since: date | None = None
    until: date | None = None
    agent: str | None = None
    team: str | None = None
    category: str | None = None
    channel: str | None = None
    product: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group's figures. `figure` is CSAT per cent, NPS or mean CES; None without an answer. Rates are shares from 0 to 1."""

    group: str | None
    sent: int
    sent_and_answered: int
    """Of the surveys sent in the period, those answered by now."""
    response_rate: float | None
    answers: int
    figure: float | None
    mean: float | None
    distribution: dict[int, int]
    """How many answers each score of the scale got, those with none too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """The answer: figures by group in order."""

    survey: Survey
    by: By
    groups: list[Group]


_GROUPS: Final = {
    By.NOTHING: "NULL",
    By.AGENT: "s.agent",
    By.TEAM: "s.team",
    By.CATEGORY: "s.category",
    By.CHANNEL: "s.channel",
    By.PRODUCT: "s.product",
    By.SEGMENT: "c.industry",
    By.TIER: "c.tier",
}
_FIGURES: Final = {
    Survey.CSAT: "100.0 * count(*) FILTER (score >= 4) / count(*)",
    Survey.NPS: "100.0 * (count(*) FILTER (score >= 9) - count(*) FILTER (score <= 6)) / count(*)",
    Survey.CES: "avg(score)",
}
_FILTERS: Final = {
    "agent": "s.agent = $agent",
    "team": "s.team = $team",
    "category": "s.category = $category",
    "channel": "s.channel = $channel",
    "product": "s.product = $product",
    "segment": "c.industry = $segment",
}

_ABOUT: Final = ("customer_id", "agent", "team", "category", "channel", "product")

CHOSEN: Final = """
WITH chosen AS (
    SELECT s.survey_id, s.score, s.answered_at, {sent_group} AS sent_grp, {answered_group} AS answered_grp, {sent_then} AS sent_then, {answered_then} AS answered_then
    FROM surveys s {joins}
    WHERE s.kind = $kind {filters}
)
"""
"""The surveys of one kind: one by one."""

_SATISFACTION: Final = f"""
{CHOSEN},
sent AS (
    SELECT sent_grp AS grp, count(*) AS sent, count(answered_at) AS sent_and_answered FROM chosen WHERE sent_then GROUP BY ALL
),
answered AS (
    SELECT answered_grp AS grp, count(*) AS answers, {{figure}} AS figure, avg(score) AS mean, map_entries(histogram(score)) AS scores
    FROM chosen WHERE answered_then GROUP BY ALL
),
groups AS (SELECT grp FROM sent UNION SELECT grp FROM answered)
SELECT g.grp::VARCHAR AS "group", coalesce(s.sent, 0) AS sent, coalesce(s.sent_and_answered, 0) AS sent_and_answered,
       s.sent_and_answered / s.sent AS response_rate, coalesce(a.answers, 0) AS answers, a.figure, a.mean, a.scores
FROM groups g
LEFT JOIN sent s ON s.grp IS NOT DISTINCT FROM g.grp
LEFT JOIN answered a ON a.grp IS NOT DISTINCT FROM g.grp
ORDER BY g.grp NULLS LAST
"""


def satisfaction(facts: Facts, question: Question) -> Satisfaction:
    """The figures of one kind of survey."""
    sql = _SATISFACTION.format(**pieces_of(question), figure=_FIGURES[question.survey])
    groups = [_row(question.survey, row) for row in facts.rows(sql, parameters_of(question))]
    return Satisfaction(survey=question.survey, by=question.by, groups=groups)


def needs(question: Question) -> Mapping[str, Sequence[str]]:
    """The facts that this question asks, and which of their columns."""
    chosen = pieces_of(question)
    about = [name for name in _ABOUT if f"s.{name}" in chosen["sent_group"] + chosen["joins"] + chosen["filters"]]
    customers = {"customers": ("industry", "tier")} if _about_customers(question) else {}
    return {"surveys": ("kind", "sent_at", "answered_at", "score", *about), **customers}


def pieces_of(question: Question) -> dict[str, str]:
    """What the question puts into `CHOSEN`."""
    return {
        "sent_group": _group(question.by, "s.sent_at"),
        "answered_group": _group(question.by, "s.answered_at"),
        "sent_then": within("s.sent_at"),
        "answered_then": within("s.answered_at"),
        "joins": "LEFT JOIN customers c ON c.customer_id = s.customer_id" if _about_customers(question) else "",
        "filters": "".join(f" AND {_FILTERS[name]}" for name in _given(question)),
    }


def _about_customers(question: Question) -> bool:
    return question.by in (By.SEGMENT, By.TIER) or question.segment is not None


def parameters_of(question: Question) -> dict[str, Any]:
    """The parameters of that SQL."""
    return {"kind": question.survey.value, "since": question.since, "until": question.until, **_given(question)}


def _group(by: By, at: str) -> str:
    return PERIODS[by].format(at=at) if by in PERIODS else _GROUPS[by]


def _row(survey: Survey, row: Row) -> Group:
    scores = {entry["key"]: entry["value"] for entry in row.pop("scores") or ()}
    return Group(**row, distribution={score: scores.get(score, 0) for score in SCALES[survey]})


def _given(question: Question) -> dict[str, Any]:
    return {name: value for name in _FILTERS if (value := getattr(question, name)) is not None}
