"""`daybook explain FOLD KEY COLUMN`, and `daybook explain funnel …`: where a number comes from."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import typer
from pydantic import BaseModel
from typer.core import TyperGroup

from api.cli.caller import ask
from api.cli.fields import Kind, OptionField, body_of, fields_of, with_options
from api.cli.output import STDOUT, print_answer, print_json, print_rows
from api.cli.queries import Query, text_of
from api.cli.querying import id_of, request_of
from api.cli.session import session_of
from api.reading.explaining import PLANS, CellParameters, FunnelNumber, SatisfactionNumber, WaterfallBar
from projections.plan import Plan
from readmodels.lists import LISTS
from replay.explain.cells import form_of

EVENTS: Final = ("position", "occurred_at", "recorded_at", "actor", "source", "says", "value", "sign", "when", "won", "so_far")
ROWS: Final = ("value", "name", "id", "because")


def _figure(name: str, summary: str, asks: type[BaseModel]) -> Query:
    return Query(name, f"/v1/explain/{name}", summary, list(fields_of(asks.model_json_schema())))


FIGURES: Final[Mapping[str, Query]] = {
    query.name: query
    for query in (
        _figure("funnel", "The deals behind one number of a funnel, and the events that made each count so.", FunnelNumber),
        _figure(
            "satisfaction", "The surveys behind one number of satisfaction, and the events that made each count so.", SatisfactionNumber
        ),
        _figure("waterfall", "The deals behind one bar of the waterfall, and the events that moved each.", WaterfallBar),
    )
}


class Numbers(TyperGroup):
    """A group whose subcommands are figures, and read models."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group's interface
        """Their names."""
        return [*FIGURES, *PLANS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the group's interface
        """The subcommand of a name."""
        if cmd_name in FIGURES:
            return _of_figure(FIGURES[cmd_name])
        return _of_cell(cmd_name)


def _of_figure(query: Query) -> Any:
    def run(context: typer.Context, **given: Any) -> None:
        session = session_of(context)
        with session.calling() as caller:
            path, parameters = request_of(caller, query, body_of(query.fields, given))
            answer = ask(caller, "GET", path, parameters=parameters).json()
        if session.as_json:
            print_json(answer)
            return
        rows = [{**row, "because": "; ".join(event["says"] for event in row["events"])} for row in answer.pop("items")]
        print_answer(answer, as_json=False)
        print_rows(rows, "rows", names=ROWS)

    return _command(query.name, query.summary, with_options(run, query.fields))


def _of_cell(fold: str) -> Any:
    """The subcommand of a read model; also of one that there is not, so that the refusal says which there are."""
    plan = PLANS.get(fold)
    fields = list(fields_of(CellParameters.model_json_schema()))
    columns = ", ".join(plan.fold.columns) if plan else "a column"
    plural = _named(plan) if plan else None
    places = [
        OptionField("key", Kind.TEXT, required=True, help=_key_help(plan) if plan else "the key of a row"),
        OptionField("column", Kind.TEXT, required=True, help=columns),
    ]

    def run(context: typer.Context, **given: Any) -> None:
        session = session_of(context)
        asked = {name: text_of(value) for name, value in body_of(fields, given).items()}
        with session.calling() as caller:
            key = given["key"] if plural is None else id_of(caller, plural, given["key"])
            path = "/".join(("/v1/explain", *(quote(part, safe="") for part in (fold, key, given["column"]))))
            answer = ask(caller, "GET", path, parameters=asked).json()
        if session.as_json:
            print_json(answer)
            return
        rows = [{**event, **event["counts"]} for event in answer.pop("items")]
        print_answer(answer, as_json=False)
        if rows:
            print_rows(rows, "events", names=EVENTS)
        else:
            STDOUT.print("no event has said anything to it")

    summary = f"Where a cell of {fold} comes from: the events behind it, and what they come to."
    return _command(fold, summary, with_options(run, [*places, *fields], positional=("key", "column")))


def _named(plan: Plan) -> str | None:
    """The list in which the record that a row is of can be found by another system's name; None where there is none."""
    lists = {f"{what.record}_id": what.name for what in LISTS}
    return lists.get(next(iter(plan.fold.key))) if len(plan.fold.key) == 1 else None


def _key_help(plan: Plan) -> str:
    if _named(plan) is not None:
        return f"{form_of(plan)}, or source:id."
    return f"{form_of(plan)}{'; with commas between' if len(plan.fold.key) > 1 else ''}."


def _command(name: str, summary: str, run: Any) -> Any:
    program = typer.Typer(add_completion=False)
    program.command(name, help=summary)(run)
    return typer.main.get_command(program)


program = typer.Typer(
    cls=Numbers,
    no_args_is_help=True,
    help="Where a number comes from: `explain FOLD KEY COLUMN` for a cell of a read model, `explain FIGURE …` for a figure's.",
)
