"""Lists of records and single records, one pair of routes for each kind, made from what the read models hold."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, create_model

from api.read_parameters import ReadParameters
from api.reading.context import Reading, answer, question_of, responses
from api.reading.parameters import Flag, Id, Paged, Text
from api.reading.shapes_of_records import LAYOUTS, PAGES, RECORDS
from readmodels.layout import Kind
from readmodels.lists import LISTS, Listed, listed, record

VALUES: Final[Mapping[Kind, Any]] = {Kind.TEXT: Text, Kind.ID: Id, Kind.BOOLEAN: Flag}


def _parameters(what: Listed) -> type[Paged]:
    """The filters of a list as query parameters."""
    kinds = {name: LAYOUTS[what.fold].column(name).kind for name in what.filters}
    fields: dict[str, Any] = {
        name: (VALUES[kind], Field(None, description=f"Only those whose {name.replace('_', ' ')} is this.")) for name, kind in kinds.items()
    }
    return create_model(f"{what.name.capitalize()}Parameters", __base__=Paged, __doc__=f"Which {what.name} are asked for.", **fields)


def record_routes(reading: Reading) -> APIRouter:
    """The routes of lists; customers by id are asked for elsewhere."""
    router = APIRouter(tags=["records"])
    for what in LISTS:
        _add_list(router, reading, what)
        if what.name != "customers":
            _add_record(router, reading, what)
    return router


def _add_list(router: APIRouter, reading: Reading, what: Listed) -> None:
    parameters, layout = _parameters(what), LAYOUTS[what.fold]

    def records(asked: Any) -> Response:
        name = question_of(what.name, asked)
        given = {column: getattr(asked, column) for column in what.filters}
        equal = {column: str(value) if isinstance(value, UUID) else value for column, value in given.items() if value is not None}
        with reading.lookups(asked, what.folds) as lookups:
            after = reading.after(name, asked.cursor)
            rows = listed(lookups, what, layout, equal, limit=asked.limit + 1, decrypt=reading.decrypt, after=after)
            position = lookups.position(what.fold)
        return answer(reading.page(name, rows, asked.limit, lambda row: [row[what.key]]), position)

    records.__annotations__["asked"] = Annotated[parameters, Query()]
    router.add_api_route(
        f"/v1/{what.name}",
        records,
        methods=["GET"],
        name=f"list_{what.name}",
        operation_id=f"list_{what.name}",
        summary=f"List {what.name}, in the order of their ids.",
        response_model=PAGES[what.name],
        responses=responses(404, 409, 422, 503),
    )


def _add_record(router: APIRouter, reading: Reading, what: Listed) -> None:
    layout = LAYOUTS[what.fold]

    def one(
        record_id: Annotated[UUID, Path(description=f"The {what.record}'s id.")], wanted: Annotated[ReadParameters, Query()]
    ) -> Response:
        about = record_id if "customer_id" in layout.names else None
        with reading.lookups(wanted, what.folds, about) as lookups:
            found = record(lookups, what, layout, str(record_id), decrypt=reading.decrypt)
            return answer(found, lookups.position(what.fold))

    router.add_api_route(
        f"/v1/{what.name}/{{record_id}}",
        one,
        methods=["GET"],
        name=what.record,
        operation_id=what.record,
        summary=f"One {what.record} as it is now.",
        response_model=RECORDS[what.name],
        responses=responses(404, 409, 422, 503),
    )
