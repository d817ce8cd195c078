"""`daybook backup` and `daybook restore`: copies of the log and, apart from them, of the keys; made while serving, verified, put back."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from api.auditing import place_of
from api.cli.output import STDERR, STDOUT, print_answer, print_json, progress
from api.cli.session import FAILED, Session, session_of
from api.folder import Folder
from api.problems import InvalidRequest
from api.settings import Settings
from bus.copying import Tools
from bus.errors import LogUnavailable
from bus.secret_file import write_once
from domain.errors import NotFound
from replay.backup.errors import BackupRefused
from replay.backup.making import Made, Place, back_up
from replay.backup.manifest import Manifest
from replay.backup.restoring import Destination, Restored, Sources, restore
from replay.backup.verifying import Checked, verify

DEFAULT: Final = "make"
NO_KEYS: Final = (
    "People's keys are not in this backup: without them nobody can read personal fields. Back them up to another place with --keys FOLDER."
)
NO_MASTER_KEY: Final = (
    "The master key is in neither backup. Keep a copy of master.key where neither of them is (--master-key-to FILE makes one): without it the "
    "keys cannot be used, and with it and the keys everybody can read everything."
)
DIFFERS: Final = "The log is not what was hashed when it was written; this backup is of the log as it is now. Run: daybook audit verify"

Target = Annotated[Path, typer.Argument(help="The folder to make; it must not be there yet.")]
KeysTo = Annotated[
    Path | None, typer.Option("--keys", help="The folder for people's keys, apart from the log: another disk, another system.")
]
MasterKeyTo = Annotated[Path | None, typer.Option("--master-key-to", help="A file for a copy of the master key; not in either folder.")]
Source = Annotated[Path, typer.Argument(help="The folder of a backup.")]
KeysFrom = Annotated[Path | None, typer.Option("--keys", help="The folder of the backup of the keys.")]
WithoutKeys = Annotated[bool, typer.Option("--without-keys", help="Put the log back alone: no personal field can be read then.")]
MasterKey = Annotated[
    Path | None, typer.Option("--master-key", help="A file with the master key; DAYBOOK_MASTER_KEY is used where that is set.")
]
Erasures = Annotated[
    list[Path] | None, typer.Option("--erasures", help="A newer list of erasures than the one beside the keys; may be repeated.")
]


class WithTarget(TyperGroup):
    """A group whose first command needs no name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments that begin with no command are those of the first."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


program = typer.Typer(
    cls=WithTarget,
    no_args_is_help=True,
    help="Back up while serving: `daybook backup TARGET --keys OTHER`; `daybook backup verify SOURCE`.",
)


@program.command(DEFAULT, hidden=True)
def make(context: typer.Context, target: Target, keys: KeysTo = None, master_key_to: MasterKeyTo = None) -> None:
    """Back up the log as it is at one moment, beside a server at work; and people's keys, apart from it."""
    session = session_of(context)
    settings = session.settings
    _check_apart(master_key_to, target, keys)
    with _telling(session) as tell:
        made = back_up(_place(settings), target, keys, tell)
    if master_key_to is not None:
        _write_master_key(settings, master_key_to)
    notes = _notes(made, master_key_to)
    answer = {
        "log": {"folder": str(target), **_shown(made.log)},
        "keys": {"folder": str(keys), **_shown(made.keys)} if made.keys else None,
        "agrees_with_audit": made.agrees,
    }
    if session.as_json:
        print_json({**answer, "notes": notes})
        return
    print_answer(answer, as_json=False)
    for note in notes:
        STDERR.print(f"[yellow]{note}[/]", highlight=False)


def _print_checked(checked: Mapping[str, Checked]) -> None:
    for folder, each in checked.items():
        told = each.manifest
        STDOUT.print("[red bold]damaged[/]" if each.findings else "[green]ok[/]", end=" ")
        of = f"the {told.of} up to position {told.position:,}, made {told.made_at}, root {told.root}"
        STDOUT.print(f"{folder}: {of}", markup=False, highlight=False)
        for finding in each.findings:
            STDOUT.print(f"  {finding['file']}: {finding['message']}", markup=False, highlight=False)


@program.command("verify")
def verification(context: typer.Context, source: Source, keys: KeysFrom = None) -> None:
    """Whether a backup is whole and as it was made: every file by its hash, the events by their Merkle root. Exit code 1 when it is not."""
    session = session_of(context)
    tools = Tools(session.settings.postgres_tools)
    with _telling(session) as tell:
        checked: dict[str, Checked] = {str(source): verify(source, "log", tools, tell)}
        if keys is not None:
            checked[str(keys)] = verify(keys, "keys", tools, tell)
    if session.as_json:
        print_json([{"folder": folder, **_shown(each.manifest), "findings": [*each.findings]} for folder, each in checked.items()])
    else:
        _print_checked(checked)
    if any(each.findings for each in checked.values()):
        raise typer.Exit(FAILED)


def put_back(
    context: typer.Context,
    source: Source,
    keys: KeysFrom = None,
    master_key: MasterKey = None,
    erasures: Erasures = None,
    *,
    without_keys: WithoutKeys = False,
) -> None:
    """Put a backup back into a new data folder (--data), verified before and after; read models are folded when it is first served."""
    session = session_of(context)
    settings = session.settings
    if (keys is None) != without_keys:
        raise InvalidRequest("give the folder of the keys with --keys, or say --without-keys")
    for path in erasures or ():
        if not path.is_file():
            raise NotFound("file.unreadable", f"there is no file {path}")
    sources = Sources(
        log=source,
        keys=keys,
        master_key=_master_key(settings, master_key),
        keep_master_key=master_key is not None,
        erasures=erasures or (),
    )
    with _telling(session) as tell:
        restored = restore(sources, _destination(settings), tell)
    _say_restored(session, restored, known=sources.master_key is not None)


def _say_restored(session: Session, restored: Restored, *, known: bool) -> None:
    notes: list[str] = []
    if restored.keys is None:
        notes.append("No keys were put back: personal fields cannot be read.")
    elif not known:
        notes.append("The master key was not given: put it into the folder as master.key before you start, or the keys cannot be used.")
    answer = {"data": str(session.settings.data), **_shown(restored.log), "keys": restored.keys is not None, "erasures": restored.erased}
    if session.as_json:
        print_json({**answer, "notes": notes})
        return
    print_answer(answer, as_json=False)
    for note in notes:
        STDERR.print(f"[yellow]{note}[/]", highlight=False)


def _place(settings: Settings) -> Place:
    folder = Folder(settings.data)
    keys = settings.keys_url.get_secret_value() if settings.keys_url else str(folder.keys)
    return Place(folder=folder.path, log=place_of(settings), keys=keys, tools=Tools(settings.postgres_tools))


def _destination(settings: Settings) -> Destination:
    return Destination(
        folder=settings.data.absolute(),
        log_url=settings.log_url.get_secret_value() if settings.log_url else None,
        keys_url=settings.keys_url.get_secret_value() if settings.keys_url else None,
        tools=Tools(settings.postgres_tools),
    )


def _shown(manifest: Manifest) -> dict[str, Any]:
    return {
        "backup_id": manifest.backup_id,
        "made_at": manifest.made_at,
        "position": manifest.position,
        "root": manifest.root,
        "counts": dict(manifest.counts),
        "bytes": sum(file.bytes for file in manifest.files),
    }


def _notes(made: Made, master_key_to: Path | None) -> list[str]:
    notes = [NO_KEYS] if made.keys is None else []
    if made.keys is not None and master_key_to is None:
        notes.append(NO_MASTER_KEY)
    return [*notes, *([DIFFERS] if made.agrees is False else [])]


def _check_apart(master_key_to: Path | None, *folders: Path | None) -> None:
    if master_key_to is None:
        return
    if master_key_to.exists():
        raise BackupRefused("backup.target_exists", f"there is something at {master_key_to} already")
    for folder in folders:
        if folder is not None and folder.resolve() in master_key_to.resolve().parents:
            message = f"the master key does not belong into {folder}: whoever has it and the keys can read everything"
            raise BackupRefused("backup.master_key_beside", message)


def _write_master_key(settings: Settings, path: Path) -> None:
    text = settings.master_key.get_secret_value() if settings.master_key else _text(Folder(settings.data).master_key)
    try:
        write_once(path, text.strip() + "\n")
    except OSError as error:
        raise LogUnavailable("keys.unavailable", f"{path} could not be written ({error.strerror})") from None


def _master_key(settings: Settings, path: Path | None) -> str | None:
    if path is not None:
        return _text(path)
    return settings.master_key.get_secret_value() if settings.master_key else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound("file.unreadable", f"{path} cannot be read ({error})") from None


@contextmanager
def _telling(session: Session) -> Generator[Callable[[str, int, int], None]]:
    """Shows on a progress bar what is being done, and how much of how much is done."""
    tasks: dict[str, Any] = {}
    with progress(unit="steps", hidden=session.as_json) as bar:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None, note="")
            bar.update(tasks[what], completed=done, total=total or None)

        yield tell
