"""`daybook rebuild` and `daybook rollback`: fold read models anew, or go back to what served before."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final

import orjson
import typer

from api.cli.caller import Distant, Local, ask
from api.cli.output import print_answer, progress
from api.cli.session import folding, session_of

LOOK: Final = 0.2
"""Seconds between two looks at how far a server has come."""
JSON: Final = {"Content-Type": "application/json"}

Folds = Annotated[list[str] | None, typer.Argument(help="The folds; all, unless given.", show_default=False)]
Fold = Annotated[str, typer.Argument(help="The fold.")]


def rebuild(context: typer.Context, folds: Folds = None) -> None:
    """Fold read models from the beginning, beside the versions that serve, then switch over; the old ones are kept for one roll-back."""
    session = session_of(context)
    began = time.monotonic()
    with session.calling() as caller, progress(unit="events", hidden=session.as_json) as bar:
        told = folding(bar, "rebuilding")
        answer = caller.rebuild(folds, told) if isinstance(caller, Local) else _rebuild_there(caller, folds, told)
    seconds = time.monotonic() - began
    print_answer({**answer, "seconds": round(seconds, 2)}, as_json=session.as_json)


def _rebuild_there(caller: Distant, folds: list[str] | None, told: Any) -> dict[str, Any]:
    """Let the server rebuild, and look now and then how far it has come."""
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(ask, caller, "POST", "/v1/rebuild", body=orjson.dumps({"folds": folds}), headers=JSON)
        while not answer.done():
            time.sleep(LOOK)
            building = ask(caller, "GET", "/v1/folds").json()["building"]
            if building is not None:
                told(*building)
        return dict(answer.result().json())


def rollback(context: typer.Context, fold: Fold) -> None:
    """Let the version of a read model that served before serve again."""
    session = session_of(context)
    answer = session.ask("POST", "/v1/rollback", body=orjson.dumps({"fold": fold}), headers=JSON)
    print_answer(answer.json()["serving"], as_json=session.as_json)
