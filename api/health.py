"""How this Daybook is: its health, its read models, and rebuilding or rolling them back."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.archiving import ArchiveBody, told
from api.asking import JSON
from api.openapi import refusals
from api.problems import encode
from api.tables import OUTAGES
from api.wiring import HOMES, Daybook
from bus.errors import LogUnavailable
from projections.build import Checked
from projections.engine import FoldHealth
from projections.fold import Home
from readmodels.layout import State
from replay.rebuild import Rebuilt


class HealthBody(BaseModel):
    """Whether all is well."""

    status: Literal["ok", "trouble"]
    head: int = Field(description="The last position of the log.")
    folded: dict[Home, int] = Field(description="Up to which position the read models are, by where they lie.")
    troubles: list[str]


class LiveBody(BaseModel):
    """That the process answers."""

    status: Literal["live"]


class ReadyBody(BaseModel):
    """Whether this process should be sent requests."""

    status: Literal["ready", "unready"]
    head: int | None = Field(description="The last position of the log; null when it does not answer.")
    lag: dict[Home, int] = Field(description="How many positions the read models of this process are behind it, by where they lie.")
    troubles: list[str] = Field(description="Why it is not ready.")


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
    partitions: list[int] = Field(description="Where workers fold it: up to which position it is in each partition of the topic.")


class BuildingBody(BaseModel):
    """Read models that are being folded from the beginning."""

    folds: list[str]
    done: int = Field(description="Events that are folded.")
    total: int
    seconds: float = Field(description="How long it has taken.")
    events_per_second: float
    seconds_left: float | None = Field(description="How long folding will take yet; comparing and switching over come after it.")


class CheckedBody(BaseModel):
    """How a read model that serves compares with what the log says."""

    home: Home
    fold: str
    position: int = Field(description="At which position they were compared.")
    rows_apart: int = Field(description="Rows that only one of the two has.")


class VerifiedBody(BaseModel):
    """How read models compare with what the log says."""

    equal: bool
    checked: list[CheckedBody]


class FoldsBody(BaseModel):
    """All read models."""

    head: int
    building: BuildingBody | None = Field(description="The build that is going on, if there is one.")
    folds: list[FoldBody]
    differences: list[CheckedBody] = Field(description="Where the last rebuild found that what served was not what the log says.")
    archive: ArchiveBody


class RebuildBody(BaseModel):
    """What is to be rebuilt."""

    model_config = ConfigDict(extra="forbid", strict=True)

    folds: list[str] | None = Field(None, max_length=1000, description="The folds to rebuild; all, unless you say.")


class RebuiltBody(BaseModel):
    """What was rebuilt."""

    rebuilt: list[str]
    head: int
    checked: list[CheckedBody] = Field(description="How each compared with what served before it was switched in.")


class RollbackBody(BaseModel):
    """What is to be rolled back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    fold: str = Field(max_length=200)


class VersionBody(BaseModel):
    """One version of a read model, and where it stands."""

    home: Home
    fold: str
    number: int
    position: int


class RetriedBody(BaseModel):
    """What goes on, in each place where the fold had stopped."""

    retried: list[VersionBody]


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

    @router.get("/health/live")
    async def health_live() -> LiveBody:
        """Whether the process answers at all: where it does not, start it again."""
        return LiveBody(status="live")

    @router.get(
        "/health/ready",
        response_model=ReadyBody,
        responses={503: {"description": "Send requests elsewhere for now; `troubles` say why.", "model": ReadyBody}},
    )
    def health_ready() -> Response:
        """Whether to send requests here: the log answers, and no read model of this process has stopped or is too far behind."""
        body = ready_of(daybook)
        return Response(encode(body), 200 if body["status"] == "ready" else 503, media_type=JSON)

    @router.get("/v1/folds", responses=refusals(503))
    def folds() -> FoldsBody:
        """The read models: which version serves, how far each has come, what stopped one."""
        found = [FoldBody.model_validate(each, from_attributes=True) for each in tables.health()]
        building = BuildingBody.model_validate(tables.building, from_attributes=True) if tables.building else None
        differences = [CheckedBody.model_validate(each, from_attributes=True) for each in tables.differences]
        head = daybook.books.log.head()
        return FoldsBody(head=head, building=building, folds=found, differences=differences, archive=told(daybook.archive))

    @router.post("/v1/rebuild", responses=refusals(400, 404, 409, 413, 422, 503))
    def rebuild(wanted: RebuildBody) -> RebuiltBody:
        """Fold read models from the beginning, beside the versions that serve, then switch over; the old ones are kept for one roll-back."""
        return rebuilt_of(tables.rebuild(wanted.folds), daybook.books.log.head())

    @router.post("/v1/verify", responses=refusals(400, 404, 409, 413, 422, 503))
    def verify(wanted: RebuildBody) -> VerifiedBody:
        """Fold read models from the beginning, compare them row by row with what serves, and change nothing."""
        return verified_of(tables.verify(wanted.folds))

    @router.post("/v1/rollback", responses=refusals(400, 404, 409, 413, 422, 503))
    def rollback(wanted: RollbackBody) -> RolledBackBody:
        """Let the version of a read model that served before serve again."""
        return RolledBackBody(serving=[VersionBody(**version) for version in tables.roll_back(wanted.fold)])

    @router.post("/v1/folds/{fold}/retry", responses=refusals(400, 404, 409, 413, 422, 503))
    def retry(fold: Annotated[str, Path(max_length=200, description="The fold's name.")]) -> RetriedBody:
        """Let a read model that stopped at an event try it again and go on from there, once what stopped it is mended."""
        return RetriedBody(retried=[VersionBody(**version) for version in tables.retry(fold)])

    return router


def rebuilt_of(rebuilt: Sequence[Rebuilt], head: int) -> RebuiltBody:
    """What was rebuilt, as it is told."""
    checked = [CheckedBody.model_validate(checked, from_attributes=True) for each in rebuilt for checked in each.checked]
    return RebuiltBody(rebuilt=sorted(each.fold for each in rebuilt), head=head, checked=checked)


def verified_of(checked: Sequence[Checked]) -> VerifiedBody:
    """How read models compared, as it is told."""
    found = [CheckedBody.model_validate(each, from_attributes=True) for each in checked]
    return VerifiedBody(equal=not any(each.rows_apart for each in found), checked=found)


def health_of(daybook: Daybook) -> dict[str, Any]:
    """Whether all is well, and what is not."""
    troubles = [*daybook.tables.troubles(), *([daybook.auditor.trouble] if daybook.auditor.trouble else [])]
    return {
        "status": "trouble" if troubles else "ok",
        "head": daybook.books.log.head(),
        "folded": {home.value: engine.position for home, engine in daybook.tables.engines.items()},
        "troubles": troubles,
    }


def ready_of(daybook: Daybook) -> dict[str, Any]:
    """Whether this process can answer well now; asked often, so it looks at the log and at the register of read models, at no event."""
    if daybook.streams.ended:
        return {"status": "unready", "head": None, "lag": {}, "troubles": ["Daybook is shutting down"]}
    try:
        head = daybook.books.log.head()
        health = daybook.tables.health()
    except (LogUnavailable, *OUTAGES) as error:
        return {"status": "unready", "head": None, "lag": {}, "troubles": [_outage(error)]}
    troubles, most = daybook.tables.troubles(health), daybook.settings.ready_lag
    lag = {home.value: max((each.lag for each in health if each.home is home and _follows(each)), default=0) for home in HOMES}
    troubles += [f"the {home} are {behind:,} positions behind the log" for home, behind in lag.items() if behind > most]
    return {"status": "unready" if troubles else "ready", "head": head, "lag": lag, "troubles": troubles}


def _follows(each: FoldHealth) -> bool:
    return each.state is State.SERVING and not each.stale and each.error is None


def _outage(error: Exception) -> str:
    return error.message if isinstance(error, LogUnavailable) else f"the read models cannot be read ({type(error).__name__})"
