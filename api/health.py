"""How this Daybook is: its health, its read models, and rebuilding or rolling them back."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.asking import JSON
from api.openapi import refusals
from api.problems import encode
from api.wiring import Daybook
from projections.fold import Home
from readmodels.layout import State


class HealthBody(BaseModel):
    """Whether all is well."""

    status: Literal["ok", "trouble"]
    head: int = Field(description="The last position of the log.")
    folded: dict[Home, int] = Field(description="Up to which position the read models are, by where they lie.")
    troubles: list[str]


class FoldBody(BaseModel):
    """One version of a read model."""

    home: Home
    fold: str
    number: int
    state: State
    position: int
    lag: int = Field(description="How many positions it is behind the log.")
    stale: bool = Field(description="Whether it was folded by another declaration than today's.")
    fingerprint: str
    error_position: int | None
    error: str | None


class FoldsBody(BaseModel):
    """All read models."""

    head: int
    building: tuple[int, int] | None = Field(description="How many events of how many are folded, while versions are being built.")
    folds: list[FoldBody]


class RebuildBody(BaseModel):
    """What is to be rebuilt."""

    model_config = ConfigDict(extra="forbid", strict=True)

    folds: list[str] | None = Field(None, max_length=1000, description="The folds to rebuild; all, unless you say.")


class RebuiltBody(BaseModel):
    """What was rebuilt."""

    rebuilt: list[str]
    head: int


class RollbackBody(BaseModel):
    """What is to be rolled back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    fold: str = Field(max_length=200)


class VersionBody(BaseModel):
    """The version that serves again."""

    home: Home
    fold: str
    number: int
    position: int


class RolledBackBody(BaseModel):
    """What serves again, in each place where the fold has a table."""

    serving: list[VersionBody]


def health_routes(daybook: Daybook) -> APIRouter:
    """The routes about this Daybook itself."""
    router = APIRouter(tags=["operation"])
    tables = daybook.tables

    @router.get(
        "/health",
        response_model=HealthBody,
        responses={503: {"description": "Something is wrong; `troubles` say what.", "model": HealthBody}},
    )
    def health() -> Response:
        """Whether all is well: the log answers, every read model is being kept up to date."""
        body = health_of(daybook)
        return Response(encode(body), 200 if body["status"] == "ok" else 503, media_type=JSON)

    @router.get("/v1/folds", responses=refusals(503))
    def folds() -> FoldsBody:
        """The read models: which version serves, how far each has come, what stopped one."""
        found = [FoldBody.model_validate(each, from_attributes=True) for each in tables.health()]
        return FoldsBody(head=daybook.books.log.head(), building=tables.building, folds=found)

    @router.post("/v1/rebuild", responses=refusals(400, 404, 409, 413, 422, 503))
    def rebuild(wanted: RebuildBody) -> RebuiltBody:
        """Fold read models from the beginning, beside the versions that serve, then switch over; the old ones are kept for one roll-back."""
        return RebuiltBody(rebuilt=tables.rebuild(wanted.folds), head=daybook.books.log.head())

    @router.post("/v1/rollback", responses=refusals(400, 404, 409, 413, 422, 503))
    def rollback(wanted: RollbackBody) -> RolledBackBody:
        """Let the version of a read model that served before serve again."""
        return RolledBackBody(serving=[VersionBody(**version) for version in tables.roll_back(wanted.fold)])

    return router


def health_of(daybook: Daybook) -> dict[str, Any]:
    """Whether all is well, and what is not."""
    troubles = [*daybook.tables.troubles(), *([daybook.auditor.trouble] if daybook.auditor.trouble else [])]
    return {
        "status": "trouble" if troubles else "ok",
        "head": daybook.books.log.head(),
        "folded": {home.value: engine.position for home, engine in daybook.tables.engines.items()},
        "troubles": troubles,
    }
