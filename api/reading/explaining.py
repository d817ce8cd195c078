"""Where a number comes from: the events behind any cell of any read model, and the rows and events behind figures."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import duckdb
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from api.personal import personal_of
from api.reading.context import Reading, answer, question_of, responses
from api.reading.figures import FunnelParameters, SatisfactionParameters
from api.reading.parameters import Paged, Text
from api.reading.shapes_of_explanations import (
    ExplanationBody,
    FunnelExplanationBody,
    SatisfactionExplanationBody,
    WaterfallExplanationBody,
)
from api.reading.waterfall import ChangeFilters
from domain.envelope import StoredEvent
from projections.build import BuildFailed
from projections.catalogue import FOLDS
from projections.fold import Home
from projections.opportunities import OPPORTUNITIES
from projections.plan import plan
from readmodels import figure_rows, funnel, funnel_rows, satisfaction, satisfaction_rows, waterfall
from readmodels.asking import asked
from readmodels.columns import canonical_instant
from readmodels.sentences import Language
from readmodels.timeline import Wording, told
from replay.explain.arithmetic import Said
from replay.explain.becoming import DEAL, SURVEY, Because, because, of_events
from replay.explain.cells import Cell, cell, spell
from replay.explain.explaining import Explanation, cell_in_facts, cell_in_lookups, explain_now, explain_past, page
from replay.explain.finding import Asked, Finder
from replay.explain.timelines import FactTimelines
from replay.explain.wording import condition_text, readable

PLANS: Final = {fold.name: plan(fold) for fold in FOLDS}
DEALS: Final = plan(OPPORTUNITIES)
CLOSE: Final = 1e-9
"""How far rates and days may be apart, which are not exact."""


class Order(StrEnum):
    """Which of the events come first; `so_far` runs in the order of recording in either."""

    RECORDED = "recorded"
    LATEST_RECORDED = "-recorded"


class Explained(Paged):
    """What every explanation can be asked for."""

    language: Language = Field("en", description="The language of the sentences.")


class CellParameters(Explained):
    """How a cell is explained."""

    order: Order = Field(Order.RECORDED, description="In which order the events are listed; `-` for the latest first.")


class FunnelNumber(Explained, FunnelParameters):
    """Which number of which funnel is asked for, beside what the funnel itself is asked."""

    stage: Text = Field(None, description="Of which stage; without it, of the totals.")
    group: Text = Field(None, description="Of which group; without it, of the one that has no name.")
    number: funnel_rows.Number = Field(funnel_rows.Number.VALUE, description="Which number: of a stage, or of the totals.")


class SatisfactionNumber(Explained, SatisfactionParameters):
    """Which number of satisfaction is asked for, beside what satisfaction itself is asked."""

    group: Text = Field(None, description="Of which group; without it, of the one that has no name.")
    number: satisfaction_rows.Number = Field(satisfaction_rows.Number.FIGURE, description="Which number.")
    score: Annotated[int, Field(ge=0, le=10)] = Field(0, description="For `distribution`: of which score.")


class WaterfallBar(Explained, ChangeFilters):
    """Which bar of the waterfall is asked for, beside what the waterfall itself is asked."""

    bar: waterfall.Bar = Field(description="Which bar.")
    group: Text = Field(None, description="Of which group; without it, of the one that has no name.")


class Explainer:
    """Explains what one Daybook shows."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        daybook = reading.daybook
        self._finder = Finder(daybook.books.log, daybook.history, FactTimelines(lambda: asked(daybook.tables.facts)))

    def cell(self, wanted: CellParameters, one: Cell) -> Explanation:
        """A cell as `wanted`. Raises NotFound, NotYet, Unavailable or BuildFailed."""
        try:
            return self._now(wanted, one) if wanted.moment.is_now else self._past(wanted, one)
        except duckdb.Error as error:
            raise BuildFailed(one.plan.name, f"the events of {one.plan.name} cannot be gone through: {error}") from error

    def _now(self, wanted: CellParameters, one: Cell) -> Explanation:
        name = one.plan.name
        if Home.LOOKUPS in one.plan.fold.homes:
            with self._reading.lookups(wanted, [name]) as lookups:
                shown, position = cell_in_lookups(lookups, one), lookups.position(name)
        else:
            with self._reading.facts(wanted, [name]) as facts:
                shown, position = cell_in_facts(facts, one), facts.position(name)
        self._reading.daybook.reach(position, Home.FACTS)
        return explain_now(self._finder, one, shown, position)

    def _past(self, wanted: CellParameters, one: Cell) -> Explanation:
        head = self._reading.daybook.written(wanted.at_least)
        self._reading.daybook.reach(head, Home.FACTS)
        return explain_past(self._finder, one, head, wanted.moment)

    def told(self, wanted: Explained, explanation: Explanation, places: Sequence[tuple[int, int, Said]]) -> dict[str, Any]:
        """An explanation and some of its events, as JSON has them."""
        one, whole = explanation.cell, explanation.sum
        said = [each for _, _, each in places]
        values = [explanation.shown, whole.value, *(each.value for each in said), *(each.so_far for each in said)]
        shown, comes_to, *rest = readable(one, values, self._reading.decrypt)
        events = told([each.event for each in said], self._wording(wanted))
        totals = [each for _, _, each in explanation.by_type]
        items = [
            {**event, "counts": _counts(each, value, so_far)}
            for event, each, value, so_far in zip(events, said, rest[: len(said)], rest[len(said) :], strict=True)
        ]
        return {
            "fold": one.plan.name,
            "key": dict(zip(one.plan.fold.key, one.key, strict=True)),
            "column": one.column,
            "kind": one.kind,
            "rule": one.lane.rule,
            "order": one.lane.order,
            "shown": shown,
            "comes_to": comes_to,
            "agrees": explanation.agrees or shown == comes_to,
            "events": len(whole.said),
            "won_by": whole.winner.event.position if whole.winner else None,
            "by_type": [
                {"type": kind, "events": events_, "comes_to": total}
                for (kind, events_, _), total in zip(explanation.by_type, readable(one, totals, self._reading.decrypt), strict=True)
            ],
            "items": items,
        }

    def rows(
        self, wanted: Explained, kind: Literal["opportunity", "survey"], rows: Sequence[Mapping[str, Any]], upto: int
    ) -> list[dict[str, Any]]:
        """Rows behind a figure with the events that made each count as it does."""
        cells = DEAL if kind == "opportunity" else SURVEY
        return self.listed(wanted, kind, [(row, because(self._finder, cells, row["id"], upto, wanted.moment)) for row in rows])

    def deals(self, wanted: WaterfallBar, question: waterfall.Question, deals: Sequence[waterfall.Deal], upto: int) -> list[dict[str, Any]]:
        """Deals behind a bar of the waterfall with the events that moved them, or that had made them what they were at its moment."""
        listed: list[tuple[Mapping[str, Any], list[Because]]] = []
        for deal in deals:
            row = {"id": deal.opportunity_id, "name": deal.name, "customer_id": deal.customer_id, "value": deal.value}
            events = self._finder.events(Asked(DEALS, DEALS.lanes, (deal.opportunity_id,), upto, wanted.moment))
            if deal.positions:
                listed.append((row, [Because(event) for event in events if event.position in deal.positions]))
            else:
                at_limit = [event for event in events if _before(question, wanted.bar, event)]
                listed.append((row, of_events(DEAL, deal.opportunity_id, at_limit)))
        return self.listed(wanted, "opportunity", listed)

    def listed(
        self, wanted: Explained, kind: Literal["opportunity", "survey"], rows: Sequence[tuple[Mapping[str, Any], list[Because]]]
    ) -> list[dict[str, Any]]:
        """Rows and their events, as JSON has them."""
        everything = [each for _, some in rows for each in some]
        events = iter(told([each.event for each in everything], self._wording(wanted)))
        return [
            {
                **{name: row[name] for name in ("id", "name", "customer_id", "value")},
                "kind": kind,
                "events": [{**next(events), "cells": [_address(one) for one in each.cells]} for each in some],
            }
            for row, some in rows
        ]

    def _wording(self, wanted: Explained) -> Wording:
        return Wording(wanted.language, personal_of, self._reading.decrypt)


def explaining_routes(reading: Reading) -> APIRouter:
    """The routes that say where numbers come from."""
    router = APIRouter(tags=["explanations"], prefix="/v1/explain")
    explainer = Explainer(reading)
    _add_figures(router, reading, explainer)
    _add_cells(router, reading, explainer)
    return router


def _add_figures(router: APIRouter, reading: Reading, explainer: Explainer) -> None:
    @router.get("/funnel", response_model=FunnelExplanationBody, responses=responses(404, 409, 422, 503))
    def explain_funnel(wanted: Annotated[FunnelNumber, Query()]) -> Response:
        """The deals behind one number of a funnel, which come to it, and the events that made each count so."""
        wanted.check()
        name, question = question_of("explain funnel", wanted), wanted.question()
        place = (wanted.stage, wanted.group, wanted.number)
        with reading.facts(wanted, funnel.FOLDS) as facts:
            shown = funnel_rows.number_shown(facts, question, *place)
            found = funnel_rows.deals_behind(facts, question, *place, limit=wanted.limit + 1, after=reading.after(name, wanted.cursor))
            position = facts.position(*funnel.FOLDS)
        paged = reading.page(name, found.rows, wanted.limit, figure_rows.place)
        paged["items"] = explainer.rows(wanted, "opportunity", paged["items"], position)
        about = {"figure": "funnel", "stage": wanted.stage, "group": wanted.group, "number": wanted.number}
        return answer({**about, **_figure(found.rule, shown, found.comes_to, found.all), **paged}, position)

    @router.get("/satisfaction", response_model=SatisfactionExplanationBody, responses=responses(404, 409, 422, 503))
    def explain_satisfaction(wanted: Annotated[SatisfactionNumber, Query()]) -> Response:
        """The surveys behind one number of satisfaction, which come to it, and the events that made each count so."""
        wanted.check()
        name, question = question_of("explain satisfaction", wanted), wanted.question(wanted.by)
        score = wanted.score if wanted.number is satisfaction_rows.Number.DISTRIBUTION else None
        place = (wanted.group, wanted.number, score)
        with reading.facts(wanted, satisfaction.FOLDS) as facts:
            shown = satisfaction_rows.number_shown(facts, question, *place)
            found = satisfaction_rows.surveys_behind(
                facts, question, *place, limit=wanted.limit + 1, after=reading.after(name, wanted.cursor)
            )
            position = facts.position(*satisfaction.FOLDS)
        paged = reading.page(name, found.rows, wanted.limit, figure_rows.place)
        paged["items"] = explainer.rows(wanted, "survey", paged["items"], position)
        about = {"figure": "satisfaction", "group": wanted.group, "number": wanted.number, "score": score}
        return answer({**about, **_figure(found.rule, shown, found.comes_to, found.all), **paged}, position)

    @router.get("/waterfall", response_model=WaterfallExplanationBody, responses=responses(404, 409, 422, 503))
    def explain_waterfall(wanted: Annotated[WaterfallBar, Query()]) -> Response:
        """The deals behind one bar of the waterfall, which add up to it, and the events that moved each."""
        name, question = question_of("explain waterfall", wanted), wanted.question(reading.now(wanted))
        after = reading.after(name, wanted.cursor)
        with reading.facts(wanted, waterfall.needs_of_deals(question)) as facts:
            shown = waterfall.bar_shown(facts, question, wanted.bar, wanted.group)
            deals = waterfall.deals_behind(facts, question, wanted.bar, groups=[wanted.group])
            beyond = deals if after is None else waterfall.deals_behind(facts, question, wanted.bar, groups=[wanted.group], after=after)
            position = facts.position(*waterfall.FOLDS_OF_DEALS)
        paged = reading.page(name, beyond[: wanted.limit + 1], wanted.limit, waterfall.place)
        paged["items"] = explainer.deals(wanted, question, paged["items"], position)
        comes_to = sum((deal.value for deal in deals), Decimal(0))
        about = {"figure": "waterfall", "bar": wanted.bar, "group": wanted.group}
        return answer({**about, **_figure(figure_rows.Rule.SUM, shown, comes_to, len(deals)), **paged}, position)


def _add_cells(router: APIRouter, reading: Reading, explainer: Explainer) -> None:
    @router.get("/{fold}/{key:path}/{column}", response_model=ExplanationBody, responses=responses(404, 409, 422, 503))
    def explain_cell(
        fold: Annotated[str, Path(description="A read model.")],
        key: Annotated[
            str, Path(description="The key of a row: its parts in the read model's order, with commas between, as a line of CSV.")
        ],
        column: Annotated[str, Path(description="A column of it.")],
        wanted: Annotated[CellParameters, Query()],
    ) -> Response:
        """The events behind a cell of a read model: who, when, by which door, how each counts, and what all come to."""
        one = cell(PLANS, fold, key, column)
        name = question_of(f"explain {fold} {spell(one.key)} {column}", wanted)
        explanation = explainer.cell(wanted, one)
        after, descending = reading.after(name, wanted.cursor), wanted.order is Order.LATEST_RECORDED
        found = page(explanation.sum, limit=wanted.limit + 1, after=after, descending=descending)
        paged = reading.page(name, found, wanted.limit, lambda each: each[:2])
        return answer({**explainer.told(wanted, explanation, paged["items"]), "next": paged["next"]}, explanation.upto)


def _counts(said: Said, value: Any, so_far: Any) -> dict[str, Any]:
    when = [condition_text(condition) for condition in said.when]
    return {"value": value, "sign": said.sign, "when": when, "so_far": so_far, "won": said.won}


def _address(one: Cell) -> dict[str, str]:
    return {"fold": one.plan.name, "key": spell(one.key), "column": one.column}


def _figure(rule: figure_rows.Rule, shown: Any, comes_to: Any, rows: int) -> dict[str, Any]:
    if isinstance(shown, float) and comes_to is not None:
        agrees = math.isclose(shown, float(comes_to), rel_tol=CLOSE, abs_tol=CLOSE)
    else:
        agrees = shown == comes_to
    exact = rule is figure_rows.Rule.SUM
    return {"rule": rule, "shown": shown, "comes_to": _whole(comes_to, shown) if exact else comes_to, "agrees": agrees, "rows": rows}


def _whole(comes_to: Any, shown: Any) -> Any:
    """A count as a whole number, as the figure has it."""
    return int(comes_to) if isinstance(shown, int) and comes_to is not None else comes_to


def _before(question: waterfall.Question, bar: waterfall.Bar, event: StoredEvent) -> bool:
    """Whether the event had happened, by the question's clock, when the pipeline was what the bar says."""
    limit = question.since if bar is waterfall.Bar.OPENING else question.until
    moment = event.recorded_at if question.clock is waterfall.Clock.RECORDED else event.occurred_at
    return limit is None or moment < canonical_instant(limit)
