"""`daybook rebuild`, `verify`, `rollback`, `retry`, `folds` and `archive`: fold read models anew, compare them, go back, and what they are folded from."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
import typer

from api.cli.caller import Distant, Local, ask
from api.cli.output import print_answer, progress
from api.cli.session import FAILED, folding, session_of

LOOK: Final = 0.2
"""Seconds between two looks at how far a server has come."""
SHOWN: Final = ("fold", "home", "number", "state", "position", "lag", "stale", "error_position", "error")
JSON: Final = {"Content-Type": "application/json"}

Folds = Annotated[list[str] | None, typer.Argument(help="The folds; all, unless given.", show_default=False)]
Fold = Annotated[str, typer.Argument(help="The fold.")]


def rebuild(context: typer.Context, folds: Folds = None) -> None:
    """Fold read models from the beginning, beside the versions that serve, compare them and switch over; the old ones are kept for one roll-back."""
    session = session_of(context)
    began = time.monotonic()
    with session.calling() as caller, progress(unit="events", hidden=session.as_json) as bar:
        told = folding(bar, "rebuilding")
        answer = caller.rebuild(folds, told) if isinstance(caller, Local) else _folded_there(caller, "/v1/rebuild", folds, told)
    answer["seconds"] = round(time.monotonic() - began, 2)
    if session.as_json:
        print_answer(answer, as_json=True)
        return
    apart = [each for each in answer.pop("checked") if each["rows_apart"]]
    print_answer(answer, as_json=False)
    if apart:
        print_answer(apart, as_json=False, title="what served before was not what the log says")


def verify(context: typer.Context, folds: Folds = None) -> None:
    """Fold read models from the beginning and compare them row by row with what serves; change nothing. Exit code 1 where rows are apart."""
    session = session_of(context)
    with session.calling() as caller, progress(unit="events", hidden=session.as_json) as bar:
        told = folding(bar, "verifying")
        answer = caller.verify(folds, told) if isinstance(caller, Local) else _folded_there(caller, "/v1/verify", folds, told)
    print_answer(answer, as_json=session.as_json)
    if not answer["equal"]:
        raise typer.Exit(FAILED)


def _folded_there(caller: Distant, path: str, folds: list[str] | None, told: Any) -> dict[str, Any]:
    """Let the server fold, and look now and then how far it has come."""
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(ask, caller, "POST", path, body=orjson.dumps({"folds": folds}), headers=JSON)
        while not answer.done():
            time.sleep(LOOK)
            building = ask(caller, "GET", "/v1/folds").json()["building"]
            if building is not None:
                told(building["done"], building["total"])
        return dict(answer.result().json())


def archive(
    context: typer.Context,
    verify: Annotated[bool, typer.Option("--verify", help="Hash every file again first.")] = False,  # noqa: FBT002 - an option of the command line
) -> None:
    """Write the events that are not archived yet into typed Parquet files, and anew what is missing, damaged or not of this log."""
    session = session_of(context)
    began = time.monotonic()
    with session.calling() as caller, progress(unit="events", hidden=session.as_json) as bar:
        if isinstance(caller, Local):
            answer = caller.archive(folding(bar, "archiving"), verify=verify)
        else:
            answer = dict(ask(caller, "POST", "/v1/archive", body=orjson.dumps({"verify": verify}), headers=JSON).json())
    print_answer({**answer, "seconds": round(time.monotonic() - began, 2)}, as_json=session.as_json)


def folds(context: typer.Context) -> None:
    """The read models and the archive: which version serves, how far each has come, how long a build will take yet."""
    session = session_of(context)
    print_answer(session.ask("GET", "/v1/folds").json(), as_json=session.as_json, shows={"folds": SHOWN})


def rollback(context: typer.Context, fold: Fold) -> None:
    """Let the version of a read model that served before serve again."""
    session = session_of(context)
    answer = session.ask("POST", "/v1/rollback", body=orjson.dumps({"fold": fold}), headers=JSON)
    print_answer(answer.json()["serving"], as_json=session.as_json)


def retry(context: typer.Context, fold: Fold) -> None:
    """Let a read model that stopped at an event try it again and go on from there, once what stopped it is mended."""
    session = session_of(context)
    answer = session.ask("POST", f"/v1/folds/{quote(fold, safe='')}/retry")
    print_answer(answer.json()["retried"], as_json=session.as_json)
