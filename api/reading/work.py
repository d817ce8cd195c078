"""The opportunity board and the service queue."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.read_parameters import ReadParameters
from api.reading.context import Reading, answer, question_of, responses
from api.reading.parameters import LARGEST_PAGE, BacklogStatus, Id, Paged, Priority, Text
from api.reading.shapes_of_records import BoardBody, QueueBody
from readmodels import board, queue


class BoardParameters(ReadParameters):
    """Which board is asked for."""

    pipeline: Id = Field(None, description="The pipeline's id; without it, one board for each.")
    owner: Text = Field(None, description="Only deals of this owner.")
    team: Text = Field(None, description="Only deals of this team.")
    deals: int = Field(50, ge=0, le=LARGEST_PAGE, description="The most deals that are shown of each stage; all are counted.")


class QueueParameters(Paged):
    """Which requests are asked for."""

    agent: Text = Field(None, description="Only requests of this agent.")
    team: Text = Field(None, description="Only requests of this team.")
    priority: Priority = Field(None, description="Only of this priority.")
    category: Text = Field(None, description="Only of this category.")
    status: BacklogStatus = Field(None, description="Only open or only waiting ones.")


def work_routes(reading: Reading) -> APIRouter:
    """The routes of what is to be done."""
    router = APIRouter(tags=["work"])

    @router.get("/v1/board", response_model=BoardBody, responses=responses(404, 409, 422, 503))
    def opportunity_board(wanted: Annotated[BoardParameters, Query()]) -> Response:
        """Each stage with its deals, how long these have stood there, and which rot."""
        pipeline_id = str(wanted.pipeline) if wanted.pipeline else None
        question = board.Question(pipeline_id=pipeline_id, owner_id=wanted.owner, team=wanted.team, deals=wanted.deals)
        with reading.lookups(wanted, board.FOLDS) as lookups:
            boards = board.boards(lookups, question, decrypt=reading.decrypt, now=reading.now(wanted))
            position = lookups.position(*board.FOLDS)
        return answer({"currency": reading.daybook.settings.base_currency, "boards": boards}, position)

    @router.get("/v1/queue", response_model=QueueBody, responses=responses(404, 409, 422, 503))
    def service_queue(wanted: Annotated[QueueParameters, Query()]) -> Response:
        """Requests that are not done, by when they are due next, with the time that is left."""
        name = question_of("queue", wanted)
        question = queue.Question(
            agent=wanted.agent, team=wanted.team, priority=wanted.priority, category=wanted.category, status=wanted.status
        )
        with reading.lookups(wanted, queue.FOLDS) as lookups:
            after = reading.after(name, wanted.cursor)
            rows = queue.queue(lookups, question, limit=wanted.limit + 1, decrypt=reading.decrypt, now=reading.now(wanted), after=after)
            position = lookups.position(*queue.FOLDS)
        page = reading.page(name, rows, wanted.limit, queue.place)
        for row in page["items"]:
            del row["place"]
        return answer(page, position)

    return router
