"""Everything that an import asks for, in its order: the setup, then each part of the mapping, or all parts merged by time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import merge

from api.imports.cases import CasesPart
from api.imports.errors import RowRefused
from api.imports.expressions import Scope
from api.imports.intake import Intake
from api.imports.lookups import load_lookups
from api.imports.making import Made, Maker, Refused
from api.imports.rows import RowsPart
from api.imports.sources import Row

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def make_all(intake: Intake, actor: str) -> Iterator[Made]:
    """What every row makes. Raises ImportRefused."""
    plan, maker = intake.plan, Maker(intake.plan, actor)
    lookups = load_lookups(intake)
    yield from _setup(maker)
    read_again = {part.file for part in (*plan.rows, *plan.cases)}
    yield from (Made(bad.row, refused=Refused(bad.code, bad.message)) for file, bad in lookups.bad if file not in read_again)
    parts = [RowsPart(rows, intake, lookups, maker).made() for rows in plan.rows]
    parts += [CasesPart(cases, intake, lookups, maker).made() for cases in plan.cases]
    if plan.order == "time":
        yield from merge(*parts, key=lambda made: made.at or _BEFORE_ALL)
        return
    for part in parts:
        yield from part


def _setup(maker: Maker) -> Iterator[Made]:
    row = Row("", 0, 0)
    for template in maker.plan.setup:
        scope = Scope({}, {}, maker.plan.terms[None])
        try:
            yield Made(row, tuple(maker.orders("setup", "", (template,), scope, None)), rows=0)
        except RowRefused as error:
            yield Made(row, refused=Refused(error.code, error.message, template.command), rows=0)


def rows_to_make(intake: Intake) -> int:
    """How many rows the parts will go through, each part that reads a file counting it; known after looking through the files."""
    return sum(intake.counts.get(part.file, 0) for part in (*intake.plan.rows, *intake.plan.cases))
