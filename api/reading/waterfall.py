"""The change of the open pipeline between two moments, and the deals behind each bar of it."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.read_parameters import ReadParameters
from api.reading.context import Reading, answer, question_of, responses
from api.reading.parameters import Day, Id, Moment, Paged, Text, not_empty
from api.reading.shapes import WaterfallBody, WaterfallDealsBody
from domain.errors import RuleViolation
from readmodels import waterfall
from readmodels.columns import canonical_instant

INSTANT_BEFORE: Final = timedelta(microseconds=1)


class ChangeFilters(ReadParameters):
    """Which change of the pipeline is asked for."""

    since: Moment = Field(
        None, description="From which moment: a day (UTC) or an instant; without it, the beginning of the quarter that `until` is in."
    )
    until: Moment = Field(None, description="Up to but without which moment: a day (UTC) or an instant; without it, up to now.")
    clock: waterfall.Clock = Field(
        waterfall.Clock.HAPPENED,
        description="`happened`: the moments are those at which things happened. `recorded`: those at which we were told.",
    )
    by: waterfall.By = Field(waterfall.By.NOTHING, description="What it is broken down by; owner and team are those at each moment.")
    pipeline: Id = Field(None, description="The pipeline's id; without it, all together.")
    owner: Text = Field(None, description="Only deals while this is their owner.")
    team: Text = Field(None, description="Only deals while this is their team.")
    closing_from: Day = Field(None, description="Only deals while they are expected to close on this day or later.")
    closing_until: Day = Field(None, description="Only deals while they are expected to close before this day.")

    def question(self, now: datetime) -> waterfall.Question:
        """As the read models have it. Raises RuleViolation `period.empty`."""
        not_empty(self.closing_from, self.closing_until, "closing_until")
        since = self.since or waterfall.quarter_of(self.until - INSTANT_BEFORE if self.until else now)
        if self.until and since >= self.until:
            raise RuleViolation("period.empty", f"no moment is from {since} up to but without {self.until}; give a later `until`")
        return waterfall.Question(
            since=since,
            until=self.until,
            clock=self.clock,
            by=self.by,
            pipeline_id=str(self.pipeline) if self.pipeline else None,
            owner_id=self.owner,
            team=self.team,
            closing_from=self.closing_from,
            closing_until=self.closing_until,
        )


class WaterfallParameters(ChangeFilters):
    """Which waterfall is asked for."""


class WaterfallDealParameters(Paged, ChangeFilters):
    """Which bar's deals are asked for."""

    bar: waterfall.Bar = Field(description="Of which bar.")
    group: Text = Field(None, description="Only of this group; without it, of all of them.")


def waterfall_routes(reading: Reading) -> APIRouter:
    """The routes of the waterfall."""
    router = APIRouter(tags=["figures"])

    @router.get("/v1/waterfall", response_model=WaterfallBody, responses=responses(404, 409, 422, 503))
    def pipeline_waterfall(wanted: Annotated[WaterfallParameters, Query()]) -> Response:
        """How the open pipeline changed between two moments: opening, what came, what went, closing."""
        question = wanted.question(reading.now(wanted))
        with reading.facts(wanted, waterfall.needs(question)) as facts:
            found = waterfall.waterfalls(facts, question)
            position = facts.position(*waterfall.FOLDS)
        about = {name: getattr(wanted, name) for name in ("clock", "by", "closing_from", "closing_until")}
        moments = {"since": canonical_instant(question.since), "until": canonical_instant(question.until) if question.until else None}
        currency = reading.daybook.settings.base_currency
        return answer({**moments, **about, "currency": currency, "waterfalls": [asdict(each) for each in found]}, position)

    @router.get("/v1/waterfall/deals", response_model=WaterfallDealsBody, responses=responses(404, 409, 422, 503))
    def waterfall_deals(wanted: Annotated[WaterfallDealParameters, Query()]) -> Response:
        """The deals behind one bar of the waterfall, the largest first; their values add up to the bar's."""
        question = wanted.question(reading.now(wanted))
        name = question_of("waterfall", wanted)
        groups = None if wanted.group is None else [wanted.group]
        after = reading.after(name, wanted.cursor) or ()
        with reading.facts(wanted, waterfall.needs_of_deals(question)) as facts:
            deals = waterfall.deals_behind(facts, question, wanted.bar, groups=groups, limit=wanted.limit + 1, after=after)
            position = facts.position(*waterfall.FOLDS_OF_DEALS)
        page = reading.page(name, deals, wanted.limit, waterfall.place)
        return answer({**page, "items": [asdict(deal) for deal in page["items"]]}, position)

    return router
