"""`daybook doctor`: what is wrong and how to mend it."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import typer

from api.cli.caller import Refused, ask
from api.cli.output import STDOUT, print_json
from api.cli.session import FAILED, Session, session_of
from api.doctor import Finding, Level, examine, ok
from domain.errors import DaybookError

MARKS: Final = {Level.OK: "[green]ok[/]", Level.WARNING: "[yellow]warning[/]", Level.TROUBLE: "[red bold]trouble[/]"}
LAGGING: Final = 100_000
"""Events behind the log from which on a read model is worth a word."""


def command(context: typer.Context) -> None:
    """Look for what is wrong, and say how to mend it. Exit code 1 when something is."""
    session = session_of(context)
    findings = list(examine(session.settings))
    if all(finding.level is not Level.TROUBLE for finding in findings) and session.settings.data.is_dir():
        findings.extend(_read_models(session))
    if session.as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.level is Level.TROUBLE for finding in findings):
        raise typer.Exit(FAILED)


def _print(finding: Finding) -> None:
    STDOUT.print(f"{MARKS[finding.level]:<8} [bold]{finding.about}[/]: ", end="")
    STDOUT.print(finding.found, markup=False, highlight=False)
    if finding.mend:
        STDOUT.print(f"         → {finding.mend}", markup=False, highlight=False)


def _read_models(session: Session) -> Iterator[Finding]:
    try:
        with session.calling() as caller:
            folds = ask(caller, "GET", "/v1/folds").json()
    except Refused as refused:
        yield Finding("read models", Level.TROUBLE, refused.problem["detail"], "see what the message says")
    except DaybookError as error:
        mend = (
            "delete facts.duckdb and lookups.db: they are folded again from the log"
            if error.code.startswith("fold")
            else "see what the message says"
        )
        yield Finding("read models", Level.TROUBLE, f"{error.code}: {error.message}", mend)
    else:
        yield from _folds(folds)
        yield from _archive(folds["archive"])


def _folds(told: dict[str, Any]) -> Iterator[Finding]:
    serving = [fold for fold in told["folds"] if fold["state"] == "serving"]
    for fold in serving:
        place = f"{fold['fold']} ({fold['home']})"
        if fold["error"]:
            mend = "mend what the message names, then: daybook rebuild " + fold["fold"]
            yield Finding(place, Level.TROUBLE, f"stopped at position {fold['error_position']}: {fold['error']}", mend)
        elif fold["stale"] and told["building"] is None:
            yield Finding(place, Level.TROUBLE, "was folded by another declaration than today's", "daybook rebuild " + fold["fold"])
        elif fold["lag"] > LAGGING:
            yield Finding(
                place, Level.WARNING, f"is {fold['lag']:,} events behind the log", "wait; if that does not shrink, restart the server"
            )
    for each in told["differences"]:
        yield Finding(
            f"{each['fold']} ({each['home']})",
            Level.WARNING,
            f"had {each['rows_apart']:,} rows that were not what the log says, until the last rebuild",
            "what was rebuilt serves now; report what changed the tables, and run: daybook verify",
        )
    position = min((fold["position"] for fold in serving), default=0)
    yield ok("read models", f"{len(serving)} serve, the last at position {position:,} of {told['head']:,}")


def _archive(told: dict[str, Any]) -> Iterator[Finding]:
    for trouble in told["troubles"]:
        what = trouble["file"] or f"the segment after position {trouble['after']} up to {trouble['upto']}"
        yield Finding("archive", Level.WARNING, f"{what} {trouble['why']}; its events are read from the log", "daybook archive")
    if told["failure"]:
        yield Finding("archive", Level.WARNING, f"cannot be written: {told['failure']}", "make room, or see what the message says")
    size = told["bytes"] / 1024**2
    yield ok("archive", f"{told['events']:,} events in {told['files']:,} files ({size:,.1f} MiB), {told['lag']:,} events behind the log")
