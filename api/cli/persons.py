"""`daybook erase`, `daybook export-person`: what a person may ask for, and whom nobody may ask for any more."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import orjson
import typer

from api.cli.caller import Distant, Local, ask
from api.cli.output import STDERR, print_answer, print_json
from api.cli.session import Session, session_of
from api.folder import Folder
from api.problems import InvalidRequest
from bus.erasures import ErasureList
from domain.persons import ErasureBasis
from replay.persons.page import page

BASES: Final = ", ".join(get_args(ErasureBasis))
PersonId = Annotated[str, typer.Argument(metavar="ID", help="The id of a contact, or of a customer who is a person.")]
Basis = Annotated[str, typer.Option("--legal-basis", help=f"Of Art. 17(1) GDPR: {BASES}.")]
Reason = Annotated[str | None, typer.Option("--reason", help="In words that name nobody: they stay.", show_default=False)]
RequestedOn = Annotated[str | None, typer.Option("--requested-on", help="The day on which the person asked.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")]
To = Annotated[Path | None, typer.Option("--to", help="The folder to write to; person-ID unless given.", show_default=False)]
Language = Annotated[str, typer.Option("--language", help="en or zh.")]


def erase(
    context: typer.Context,
    person_id: PersonId,
    legal_basis: Basis,
    reason: Reason = None,
    requested_on: RequestedOn = None,
    *,
    yes: Yes = False,
) -> None:
    """Forget a person for ever: the key to all texts about them is destroyed, everywhere at once. It cannot be undone."""
    session = session_of(context)
    with session.calling() as caller:
        about: dict[str, Any] = ask(caller, "GET", f"/v1/persons/{person_id}").json()
        if not yes:
            _confirm(about, session)
        given = {"legal_basis": legal_basis, "reason": reason, "requested_on": requested_on}
        receipt = _command(caller, about, given)
        after: dict[str, Any] = ask(caller, "GET", f"/v1/persons/{person_id}").json()
    done = "erased" if receipt["event_ids"] and not receipt["repeated"] else "erased before; nothing was done again"
    told = {
        "person_id": about["person_id"],
        "kind": about["kind"],
        "outcome": done,
        "erased_at": after["erased_at"],
        "texts": about["texts"],
        "receipt": receipt,
    }
    print_answer(told, as_json=session.as_json)


def _command(caller: Distant | Local, about: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    body = {f"{about['kind']}_id": about["person_id"], **{name: value for name, value in given.items() if value is not None}}
    headers = {"Content-Type": "application/json"}
    return ask(caller, "POST", f"/v1/commands/erase_{about['kind']}", body=orjson.dumps(body), headers=headers).json()


def _confirm(about: dict[str, Any], session: Session) -> None:
    """Say what will be gone, and ask. Raises InvalidRequest where nobody can answer."""
    if session.as_json:
        raise InvalidRequest("with --json nobody is asked; say --yes if it is meant")
    texts = ", ".join(f"{each['count']:,} × {each['of']}" for each in about["texts"]) or "no texts"
    STDERR.print(f"{about['kind']} {about['person_id']}: {about['events']:,} events, with {texts}.", markup=False, highlight=False)
    STDERR.print("The texts will be unreadable for ever: in the log, in every copy of it, in every list. The events stay.", markup=False)
    typer.confirm("Erase this person?", abort=True, err=True)


def export_person(
    context: typer.Context, person_id: PersonId, to: To = None, requested_on: RequestedOn = None, language: Language = "en"
) -> None:
    """Write everything that is held about a person, as JSON and as a page to print; that it was handed out is recorded."""
    session = session_of(context)
    body = orjson.dumps({"language": language, "requested_on": requested_on})
    headers = {"Content-Type": "application/json"}
    dossier = session.ask("POST", f"/v1/persons/{person_id}/export", body=body, headers=headers).json()
    folder = to or Path(f"person-{person_id}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "person.json").write_bytes(orjson.dumps(dossier, option=orjson.OPT_INDENT_2))
    (folder / "person.html").write_text(page(dossier), encoding="utf-8")
    print_answer({"folder": str(folder), "events": len(dossier["events"]), "upto": dossier["upto"]}, as_json=session.as_json)


def erasures(context: typer.Context) -> None:
    """The list of who was erased, a line of JSON each: keep a copy of it apart from all backups, and give it to a restored one."""
    session = session_of(context)
    for erasure in ErasureList(Folder(session.settings.data).erasures).read():
        print_json(asdict(erasure))
