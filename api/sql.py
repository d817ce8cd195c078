"""SQL on the facts: one read-only SELECT within limits of time and rows, answered as JSON, CSV, Arrow or Parquet."""

import io
import math
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, cast
from uuid import UUID

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.openapi import refusals
from api.problems import encode
from api.read_parameters import ReadParameters
from api.wiring import Daybook
from projections.fold import Home
from readmodels.facts import FactStore, Selection
from replay.past import whole

LARGEST_EXACT: Final = 2**53


class Format(StrEnum):
    """How the rows are answered."""

    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"


MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}


class SqlBody(BaseModel):
    """A query."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sql: str = Field(
        min_length=1,
        max_length=100_000,
        description="One SELECT. The facts and their columns: docs/readmodels.md.",
        examples=["SELECT count(*) FROM opportunities"],
    )
    parameters: list[str | int | bool | None] = Field(
        default_factory=list[str | int | bool | None], max_length=100, description="For `?` in the SQL, in order."
    )


class SqlOptions(ReadParameters):
    """How the rows are wanted."""

    format: Format = Field(Format.JSON, description="JSON rows, CSV, an Arrow stream or a Parquet file.")


class SqlColumn(BaseModel):
    """A column of the answer."""

    name: str
    type: str = Field(description="Its Arrow type.")


class SqlRows(BaseModel):
    """The answer; decimals and whole numbers beyond 2^53 are text."""

    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool = Field(description="Whether there were more rows than one answer may have.")


def sql_routes(daybook: Daybook) -> APIRouter:
    """The route for SQL."""
    router = APIRouter(tags=["sql"])
    settings = daybook.settings
    others: dict[str, Any] = {MEDIA_TYPES[how].partition(";")[0]: {} for how in Format if how is not Format.JSON}
    responses = refusals(400, 409, 413, 422, 503)
    responses[200] = {"description": "The rows.", "model": SqlRows, "content": others}

    @router.post("/v1/sql", responses=responses)
    def sql(query: SqlBody, options: Annotated[SqlOptions, Query()]) -> Response:
        """Ask the facts one SELECT, which can neither write nor reach anything outside them; personal fields are not among them."""
        with _facts(daybook, options, query.sql) as facts:
            found = facts.select(query.sql, query.parameters, seconds=settings.sql_seconds, rows=settings.sql_rows)
        return Response(rendered(found, options.format), media_type=MEDIA_TYPES[options.format])

    return router


@contextmanager
def _facts(daybook: Daybook, options: SqlOptions, sql: str) -> Generator[FactStore]:
    """The facts of the moment that is asked for; of another one than now, those that the query names."""
    today = daybook.tables.facts
    if options.moment.is_now:
        daybook.reach(options.at_least, Home.FACTS)
        yield today
    else:
        daybook.written(options.at_least)
        with daybook.pasts.facts(options.moment, whole(today.named_in(sql))) as facts:
            yield facts


def rendered(found: Selection, how: Format) -> bytes:
    """The rows as a whole body."""
    match how:
        case Format.JSON:
            return encode(as_json(found))
        case Format.CSV:
            sink = io.BytesIO()
            pa_csv.write_csv(_flat(found.table), sink)
            return sink.getvalue()
        case Format.ARROW:
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, found.table.schema) as writer:
                writer.write_table(found.table)
            return sink.getvalue()
        case Format.PARQUET:
            sink = io.BytesIO()
            pq.write_table(_named_apart(_flat(found.table)), sink, compression="zstd")
            return sink.getvalue()


def as_json(found: Selection) -> dict[str, Any]:
    """Columns and rows as JSON has them: decimals and whole numbers beyond 2^53 as text, times in RFC 3339 form."""
    columns = [{"name": field.name, "type": str(field.type)} for field in cast("Iterable[Any]", found.table.schema)]
    cells = [[_cell(value) for value in column.to_pylist()] for column in found.table.columns]
    return {"columns": columns, "rows": list(zip(*cells, strict=True)), "truncated": found.truncated}


def _cell(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) <= LARGEST_EXACT else str(value)
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case UUID():
            return str(value)
        case pa.MonthDayNano():
            return f"P{value.months}M{value.days}DT{Decimal(value.nanoseconds).scaleb(-9).normalize():f}S"
        case dict():
            return {str(name): _cell(item) for name, item in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [_cell(item) for item in cast("list[Any]", value)]
        case _:
            return str(value)


def _named_apart(table: pa.Table) -> pa.Table:
    """Column names that occur twice are numbered; Parquet asks for that."""
    names: list[str] = []
    for name in table.column_names:
        number = 1
        apart = name
        while apart in names:
            apart, number = f"{name}_{number}", number + 1
        names.append(apart)
    return table.rename_columns(names)


def _flat(table: pa.Table) -> pa.Table:
    """Columns of kinds that CSV and Parquet do not know everywhere, as text."""
    return pa.table([column if _is_plain(column.type) else _as_text(column) for column in table.columns], names=table.column_names)


def _is_plain(kind: pa.DataType) -> bool:
    checks = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_string)
    return any(check(kind) for check in (*checks, pa.types.is_large_string, pa.types.is_date, pa.types.is_timestamp, pa.types.is_time))


def _as_text(column: Any) -> Any:
    cells = (_cell(value) for value in column.to_pylist())
    return pa.array([cell if cell is None or isinstance(cell, str) else encode(cell).decode() for cell in cells], pa.string())
