"""Making commands from rows: the data filled in, the time read, and an id that is the same whenever the row comes again."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote

from api.imports.errors import RowRefused
from api.imports.expressions import Scope, Template
from api.imports.mapping import CommandTemplate, Plan
from api.imports.sources import Row
from api.imports.templates import fill
from commands.order import Order

LONGEST_ID = 200
PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_PLAIN = re.compile(r"[!-$&-~]*")
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row was refused, and by which of its commands if it was one of them."""

    code: str
    message: str
    command: str = ""
    command_id: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What one row (or one event of a case, or a whole case) makes: commands that are applied all or not at all, or a refusal."""

    row: Row
    orders: Sequence[Order] = ()
    refused: Refused | None = None
    rows: int = 1
    """How many rows it stands for."""
    at: datetime | None = field(default=None)
    """When it happened, for those that are put in order of time."""


def moment(template: Template, scope: Scope) -> datetime | None:
    """The moment a template says. Raises RowRefused `value.not_a_time`."""
    text = template.text(scope)
    if text is None:
        return None
    if _WRITTEN.fullmatch(text):
        return datetime.fromisoformat(text)
    try:
        return scope.terms.clock.instant(text)
    except (ValueError, OverflowError) as error:
        raise RowRefused("value.not_a_time", f"{error}, in {template.source}") from None


def command_id(*parts: str) -> str:
    """An id in at most 200 printable characters; different parts make different ids."""
    whole = ":".join(part if _PLAIN.fullmatch(part) else quote(part, safe=PRINTABLE) for part in parts)
    if len(whole) <= LONGEST_ID:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:40]
    return f"{whole[: LONGEST_ID - 41]}~{digest}"


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the orders of one mapping, sent by `actor`."""

    plan: Plan
    actor: str

    def orders(
        self,
        part: str,
        row_id: str,
        templates: Sequence[CommandTemplate],
        scope: Scope,
        happened: Template | datetime | None,
        prefix: str = "",
    ) -> Iterator[Order]:
        """The orders of those templates whose conditions hold; `happened` is when, for those that do not say. Raises RowRefused."""
        for template in templates:
            try:
                if not all(each.holds(scope) for each in template.when):
                    continue
                yield self._order(command_id("import", self.plan.name, part, row_id, prefix + template.label), template, scope, happened)
            except RowRefused as error:
                raise RowRefused(error.code, f"{template.label}: {error.message}") from None

    def _order(self, identity: str, template: CommandTemplate, scope: Scope, happened: Template | datetime | None) -> Order:
        said = template.occurred_at or happened or self.plan.occurred_at
        at = moment(said, scope) if isinstance(said, Template) else said
        if at is None:
            raise RowRefused(
                "time.missing", f"{said.source if isinstance(said, Template) else 'its time'} is empty, so nothing says when it happened"
            )
        data = cast("Mapping[str, Any] | None", fill(template.data, scope, self.plan.record_source))
        return Order(
            name=template.command,
            data=data or {},
            command_id=identity,
            occurred_at=at,
            report=self.plan.report if template.report is None else template.report,
            actor=self.actor,
            source=f"import:{self.plan.name}",
        )
