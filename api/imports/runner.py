"""Running an import: in chunks of rows, each chunk one transaction and each row all or nothing, so that it can be stopped and run again."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.imports.errors import ImportRefused
from api.imports.intake import Intake, Progress, take_in
from api.imports.making import Made, Refused
from api.imports.plan import make_all, rows_to_make
from api.imports.reading import read_mapping
from api.imports.refusals import RefusedRows
from api.imports.rehearsal import Rehearsal
from api.imports.sources import Limits
from commands.dispatch import Dispatcher
from commands.errors import CommandIdReused, InvalidCommand, NotApplied
from commands.log import EventLog
from commands.order import Job, Outcome, Receipt, Refusal

CHUNK = 2_000


@dataclass(slots=True)
class Summary:
    """What an import did, or would have done (`dry_run`)."""

    mapping: str
    dry_run: bool
    files: dict[str, int] = field(default_factory=dict[str, int])
    """Rows by file name of the mapping."""
    rows: int = 0
    """Rows gone through, counted again for each part of the mapping that reads them."""
    passed_over: int = 0
    """Rows that the mapping makes nothing of."""
    refused: int = 0
    refused_codes: dict[str, int] = field(default_factory=dict[str, int])
    accepted: int = 0
    """Commands."""
    repeated: int = 0
    """Commands that an earlier run had done already."""
    events: int = 0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 when every row was taken, 1 when some were refused."""
        return 1 if self.refused else 0


def run_import(
    mapping: str | Path,
    files: Sequence[Path],
    *,
    log: EventLog,
    dispatcher: Callable[[EventLog], Dispatcher],
    actor: str,
    dry_run: bool = False,
    refused: Path | None = None,
    progress: Progress = lambda _phase, _done, _total: None,
    limits: Limits | None = None,
    chunk: int = CHUNK,
) -> Summary:
    """Import `files` by `mapping` (a file, or the name of a shipped one) into `log`, through a dispatcher made for it.

    A dry run decides everything on a rehearsal of the log and appends nothing. `refused` is where rows that cannot be
    imported are written. `chunk` is how many commands one transaction takes at the least. Raises ImportRefused, when nothing has been imported, and what the log raises when it
    cannot be written; running the same import again goes on from there.
    """
    began = time.monotonic()
    plan = read_mapping(mapping)
    intake = take_in(plan, [Path(file) for file in files], limits or Limits())
    if refused is not None and refused.resolve() in {path.resolve() for paths in intake.paths.values() for path in paths}:
        raise ImportRefused("import.refused_file", f"{refused}: this is one of the files to import; write the refused rows elsewhere")
    intake.look_through(progress)
    summary = Summary(plan.name, dry_run, dict(intake.counts))
    with RefusedRows(refused) as refusals:
        run = _Run(dispatcher(Rehearsal(log) if dry_run else log), refusals, summary, chunk)
        run.all(intake, actor, progress)
    summary.refused, summary.refused_codes = refusals.count, refusals.codes
    summary.seconds = round(time.monotonic() - began, 3)
    return summary


@dataclass(slots=True)
class _Run:
    dispatcher: Dispatcher
    refusals: RefusedRows
    summary: Summary
    chunk: int

    def all(self, intake: Intake, actor: str, progress: Progress) -> None:
        total = rows_to_make(intake)
        for chunk in _chunks(make_all(intake, actor), self.chunk):
            self._chunk(chunk)
            progress("importing", min(self.summary.rows, total), total)

    def _chunk(self, chunk: Sequence[Made]) -> None:
        asking = [made for made in chunk if made.orders and made.refused is None]
        answers = iter(self.dispatcher.execute_all([Job(made.orders, atomic=True) for made in asking]) if asking else ())
        for made in chunk:
            self.summary.rows += made.rows
            if made.refused is not None:
                self.refusals.add(made.row, made.refused)
            elif made.orders:
                self._answered(made, next(answers))
            else:
                self.summary.passed_over += made.rows

    def _answered(self, made: Made, outcomes: Sequence[Outcome]) -> None:
        reasons = [(order, each) for order, each in zip(made.orders, outcomes, strict=True) if isinstance(each, Refusal)]
        if reasons:
            order, refusal = next((pair for pair in reasons if not isinstance(pair[1].error, NotApplied)), reasons[0])
            self.refusals.add(made.row, Refused(refusal.error.code, _reason(refusal), order.name, order.command_id or ""))
            return
        for receipt in outcomes:
            if isinstance(receipt, Receipt) and not receipt.repeated:
                self.summary.accepted += 1
                self.summary.events += len(receipt.event_ids)
            else:
                self.summary.repeated += 1


def _reason(refusal: Refusal) -> str:
    error = refusal.error
    if isinstance(error, InvalidCommand) and error.details:
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.details)
    if isinstance(error, CommandIdReused):
        return "this row was imported before, with other values (or by an older state of the mapping); what is in the log stays as it is"
    return error.message


def _chunks(made: Iterable[Made], size: int) -> Iterator[list[Made]]:
    """Rows, as many as make a transaction worth its while."""
    chunk: list[Made] = []
    orders = 0
    for each in made:
        chunk.append(each)
        orders += len(each.orders)
        if orders >= size or len(chunk) >= size:
            yield chunk
            chunk, orders = [], 0
    if chunk:
        yield chunk
