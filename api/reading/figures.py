"""The pipeline funnel and satisfaction."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.reading.context import Reading, answer, question_of, responses
from api.reading.parameters import Id, Paged, Period, Text
from api.reading.shapes import CommentsBody, FunnelBody, SatisfactionBody
from readmodels import comments, funnel, satisfaction
from readmodels.opening import opened


class FunnelParameters(Period):
    """Which funnel is asked for."""

    pipeline: Id = Field(None, description="The pipeline's id; without it, one funnel for each.")
    view: funnel.View = Field(funnel.View.COHORT, description="`cohort`: deals opened in the period. `activity`: what moved in it.")
    by: funnel.By = Field(funnel.By.NOTHING, description="What it is broken down by.")
    owner: Text = Field(None, description="Only deals of this owner.")
    team: Text = Field(None, description="Only deals of this team.")
    segment: Text = Field(None, description="Only deals with customers of this industry.")
    source: Text = Field(None, description="Only deals from this lead source.")
    product: Text = Field(None, description="Only deals with this product among their lines.")

    def question(self) -> funnel.Question:
        """As the read models have it."""
        return funnel.Question(
            pipeline_id=str(self.pipeline) if self.pipeline else None,
            view=self.view,
            by=self.by,
            since=self.since,
            until=self.until,
            owner_id=self.owner,
            team=self.team,
            segment=self.segment,
            source=self.source,
            product=self.product,
        )


class AnswerFilters(Period):
    """Which answers are asked for."""

    survey: satisfaction.Survey = Field(satisfaction.Survey.CSAT, description="Which question was put.")
    agent: Text = Field(None, description="Only about this agent.")
    team: Text = Field(None, description="Only about this team.")
    category: Text = Field(None, description="Only about requests of this category.")
    channel: Text = Field(None, description="Only about this channel.")
    product: Text = Field(None, description="Only about this product.")
    segment: Text = Field(None, description="Only customers of this industry.")

    def question(self, by: satisfaction.By = satisfaction.By.NOTHING) -> satisfaction.Question:
        """As the read models have it."""
        given = self.model_dump(include={"survey", "since", "until", "agent", "team", "category", "channel", "product", "segment"})
        return satisfaction.Question(by=by, **given)


class SatisfactionParameters(AnswerFilters):
    """Which figures are asked for."""

    by: satisfaction.By = Field(satisfaction.By.NOTHING, description="What they are broken down by.")


class CommentParameters(Paged, AnswerFilters):
    """Which comments are asked for."""


def figure_routes(reading: Reading) -> APIRouter:
    """The routes of figures."""
    router = APIRouter(tags=["figures"])

    @router.get("/v1/funnel", response_model=FunnelBody, responses=responses(404, 409, 422, 503))
    def pipeline_funnel(wanted: Annotated[FunnelParameters, Query()]) -> Response:
        """How far deals came, where they were lost, where they are, and how long they took."""
        wanted.check()
        with reading.facts(wanted, funnel.needs(wanted.question())) as facts:
            found = funnel.funnels(facts, wanted.question())
            position = facts.position(*funnel.FOLDS)
        about = {"view": wanted.view, "by": wanted.by, "since": wanted.since, "until": wanted.until}
        return answer({**about, "currency": reading.daybook.settings.base_currency, "funnels": [asdict(each) for each in found]}, position)

    @router.get("/v1/satisfaction", response_model=SatisfactionBody, responses=responses(409, 422, 503))
    def customer_satisfaction(wanted: Annotated[SatisfactionParameters, Query()]) -> Response:
        """What customers answered: CSAT, NPS or CES, with the response rate and the distribution of scores."""
        wanted.check()
        with reading.facts(wanted, satisfaction.needs(wanted.question(wanted.by))) as facts:
            found = satisfaction.satisfaction(facts, wanted.question(wanted.by))
            position = facts.position(*satisfaction.FOLDS)
        groups = [{**asdict(group), "distribution": {str(score): n for score, n in group.distribution.items()}} for group in found.groups]
        return answer({"survey": found.survey, "by": found.by, "since": wanted.since, "until": wanted.until, "groups": groups}, position)

    @router.get("/v1/satisfaction/comments", response_model=CommentsBody, responses=responses(404, 409, 422, 503))
    def satisfaction_comments(wanted: Annotated[CommentParameters, Query()]) -> Response:
        """What customers wrote beside their scores, the latest first."""
        wanted.check()
        name = question_of("comments", wanted)
        with reading.lookups(wanted, comments.FOLDS) as lookups:
            rows = comments.comments(lookups, wanted.question(), limit=wanted.limit + 1, after=reading.after(name, wanted.cursor))
            position = lookups.position(*comments.FOLDS)
        page = reading.page(name, rows, wanted.limit, lambda row: [row[column] for column in comments.ORDER])
        opened(reading.decrypt, (page["items"], ("comment",)))
        return answer(page, position)

    return router
