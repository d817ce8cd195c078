"""`daybook audit`: checkpoints to keep outside, proofs, verification, a customer's whole history, and all changes in a period."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic import ValidationError
from rich.text import Text

from api.auditing import key_of, page, place_of
from api.changes.asking import LARGEST_PART, ChangesAsked
from api.changes.reading import ChangesReader
from api.cli.fields import body_of, fields_of, with_options
from api.cli.output import STDOUT, print_answer, print_json, progress
from api.cli.session import FAILED, folding, session_of
from api.folder import Folder
from api.problems import InvalidRequest
from api.wiring import open_books
from domain.errors import NotFound
from replay.audit import markup, verifier
from replay.audit.findings import Verification
from replay.audit.notes import PublicKey, parse
from replay.audit.verification import Outside, verify

program = typer.Typer(no_args_is_help=True, help="Show that history is unaltered: checkpoints, proofs, verification, reports.")

FORMS: Final = "a position's number, or a file with a checkpoint"
To = Annotated[Path | None, typer.Option("--to", help="Write it to this file instead of standard output.", show_default=False)]
Older = Annotated[
    list[Path] | None, typer.Option("--older", help="A file with an older checkpoint to prove consistency with; may be repeated.")
]
Checkpoints = Annotated[
    list[Path] | None, typer.Option("--checkpoint", help="A file with a checkpoint that was kept outside; may be repeated.")
]
Receipts = Annotated[Path | None, typer.Option("--receipts", help="A file with receipts that clients were given, one JSON object a line.")]
Keys = Annotated[
    list[str] | None, typer.Option("--key", help="The public key, as kept outside; this folder's, unless given.", show_default=False)
]
Folder_ = Annotated[Path | None, typer.Option("--to", help="The folder to write to; audit-ID unless given.", show_default=False)]
WithoutPersonal = Annotated[bool, typer.Option("--without-personal", help="Leave personal fields out.")]
Language = Annotated[str, typer.Option("--language", help="en or zh.")]


SHOWN: Final = 100
ASKED: Final = tuple(fields_of(ChangesAsked.model_json_schema()))
ToCsv = Annotated[
    Path | None, typer.Option("--csv", help="Write all of it to this file as CSV, a line for each field that changed.", show_default=False)
]
ToHtml = Annotated[
    Path | None,
    typer.Option("--html", help=f"Write it to this file as a page to print, up to {LARGEST_PART:,} events.", show_default=False),
]


@program.command("checkpoint")
def checkpoint(context: typer.Context, to: To = None) -> None:
    """Sign what the log is now. Keep it outside: it is what later shows that nothing was changed."""
    note = session_of(context).ask("GET", "/v1/audit/checkpoint").text
    if to is None:
        typer.echo(note, nl=False)
    else:
        to.write_text(note, encoding="utf-8")


@program.command("key")
def key(context: typer.Context) -> None:
    """The public key that checkpoints are verified with. Keep it outside too."""
    typer.echo(session_of(context).ask("GET", "/v1/audit/key").text, nl=False)


@program.command("prove")
def prove(context: typer.Context, position: Annotated[int, typer.Argument(min=1)], size: Annotated[int, typer.Option(min=0)] = 0) -> None:
    """The proof that the event at a position is in the log (of a checkpoint of SIZE events; of all, unless given)."""
    print_json(session_of(context).ask("GET", "/v1/audit/proof/inclusion", parameters={"position": position, "size": size}).json())


@program.command("consistency")
def consistency(
    context: typer.Context,
    older: Annotated[str, typer.Argument(help=f"The older size: {FORMS}.")],
    to: Annotated[str, typer.Argument()] = "0",
) -> None:
    """The proof that the log still begins with what an older checkpoint is of."""
    parameters = {"from": _size(older), "to": _size(to)}
    print_json(session_of(context).ask("GET", "/v1/audit/proof/consistency", parameters=parameters).json())


@program.command("verify")
def verification(context: typer.Context, checkpoints: Checkpoints = None, receipts: Receipts = None, keys: Keys = None) -> None:
    """Hash every event again and compare; find and locate whatever was changed. Exit code 1 when something was."""
    session = session_of(context)
    folder = Folder(session.settings.data)
    if not session.settings.log_url and not folder.log.exists():
        raise NotFound("log.unknown", f"there is no log in {folder.path}")
    outside = Outside(
        keys=[PublicKey.parse(given) for given in keys] if keys else [key_of(session.settings).public],
        checkpoints={str(path): _text(path) for path in checkpoints or ()},
        receipts=_receipts(receipts) if receipts else (),
    )
    with progress(unit="events", hidden=session.as_json) as bar:
        found = verify(place_of(session.settings), folder.audit, outside, folding(bar, "verifying"))
    _print(found, as_json=session.as_json)
    if not found.sound:
        raise typer.Exit(FAILED)


@program.command("customer")
def customer(
    context: typer.Context,
    customer_id: str,
    to: Folder_ = None,
    older: Older = None,
    *,
    without_personal: WithoutPersonal = False,
    language: Language = "en",
) -> None:
    """Write a customer's whole history: a page to print, JSON with proofs, the checkpoint, and the verifier that needs nothing else."""
    session = session_of(context)
    sizes = [parse(_text(path)).size for path in older or ()]
    parameters = {"language": language, "personal": str(not without_personal).lower(), "older": sizes}
    history = session.ask("GET", f"/v1/audit/customers/{customer_id}", parameters=parameters).json()
    folder = to or Path(f"audit-{customer_id}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.json").write_bytes(orjson.dumps(history, option=orjson.OPT_INDENT_2))
    (folder / "report.html").write_text(page(history), encoding="utf-8")
    (folder / "checkpoint.txt").write_text(history["checkpoint"], encoding="utf-8")
    (folder / "verify.py").write_bytes(Path(verifier.__file__).read_bytes())
    print_answer({"folder": str(folder), "events": len(history["events"])}, as_json=session.as_json)


def _changes(context: typer.Context, to_csv: ToCsv = None, to_html: ToHtml = None, **given: Any) -> None:
    """Who did what when, by which door: all changes in a period, with what was before and after each; as a table, JSON, CSV or a page to print.

    It reads the log itself, beside a running server or without one. Configuration history is --record pipeline.
    """
    session = session_of(context)
    try:
        asked = ChangesAsked.model_validate(body_of(ASKED, given))
    except ValidationError as error:
        raise InvalidRequest("the changes that are wanted cannot be understood", error.errors()) from None
    settings = session.settings
    if settings.log_url is None and not Folder(settings.data).log.exists():
        raise NotFound("log.unknown", f"there is no log in {settings.data}")
    with open_books(settings) as books:
        if to_csv is not None:
            _write(to_csv, ChangesReader(books, asked).as_csv(asked.limit))
        if to_html is not None:
            _write(to_html, ChangesReader(books, asked).as_page(asked.limit or LARGEST_PART))
        if to_csv is None and to_html is None:
            _print_changes(ChangesReader(books, asked).page(asked.limit or SHOWN), as_json=session.as_json)
    if to_csv is not None or to_html is not None:
        written = {"csv": to_csv and str(to_csv), "html": to_html and str(to_html)}
        print_answer({name: path for name, path in written.items() if path}, as_json=session.as_json)


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file, which is whole or as it was."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.writelines(parts)
        partial.replace(path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written ({error})") from None
    finally:
        partial.unlink(missing_ok=True)


def _print_changes(page: Mapping[str, Any], *, as_json: bool) -> None:
    """A page for a person: totals, then each event with what it changed."""
    if as_json:
        print_json(page)
        return
    if page["totals"]:
        told = {name: page["totals"][name] for name in ("actors", "sources")}
        print_answer({"events": page["totals"]["events"], **told}, as_json=False)
    for row in page["items"]:
        moment = f"{row['recorded_at'][:10]} {row['recorded_at'][11:19]}Z"
        who = f"  {row['actor']}, {row['source']}"
        irregular = f"  irregular: {', '.join(row['irregular'])}" if row["irregular"] else ""
        STDOUT.print(Text.assemble((f"{row['position']:>8,}", "bold"), f"  {moment}  ", row["says"], (who, "dim"), (irregular, "red")))
        for change in markup.worth_seeing(row["changes"]):
            before, after = (markup.text(change, side, markup.SHARED["en"]) for side in ("before", "after"))
            STDOUT.print(Text(f"{'':>10}{change['field']}: {before} → {after}", style="dim"))
    if page["next"]:
        STDOUT.print(Text(f"more: --cursor {page['next']}", style="dim"))


program.command("changes")(with_options(_changes, ASKED))


def _print(found: Verification, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(found), "sound": found.sound})
        return
    STDOUT.print(
        f"{found.events:,} events hashed again, {found.hashed:,} of them compared with the hashes that were stored; root {found.root}",
        highlight=False,
    )
    for size in sorted(set(found.confirmed)):
        STDOUT.print(f"[green]ok[/] the checkpoint of {size:,} events", highlight=False)
    for finding in found.findings:
        STDOUT.print(f"[red bold]{finding.kind}[/] ", end="")
        STDOUT.print(finding.message, markup=False, highlight=False)
    if found.sound:
        STDOUT.print("[green]nothing was altered[/]")


def _size(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() else parse(_text(Path(given))).size


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound("file.unreadable", f"{path} cannot be read ({error})") from None


def _receipts(path: Path) -> list[dict[str, Any]]:
    """Receipts, by themselves or as results of bulk requests hold them; refused commands have none."""
    found: list[dict[str, Any]] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            told: dict[str, Any] = orjson.loads(line) if line.strip() else {}
            receipt: dict[str, Any] = told.get("receipt", told)
            found += [receipt] if receipt["event_ids"] else []
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            raise InvalidRequest(f"line {number} of {path} is no receipt") from None
        except KeyError:
            continue
    return found
