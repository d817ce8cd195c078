"""What every command of the command line has at hand: the settings, how to print, and what an error does."""

import errno
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import httpx2
import typer

from api.cli.caller import Distant, Local, Refused, ask, calling
from api.cli.output import print_problem, progress
from api.problems import Unavailable, describe
from api.settings import Settings
from domain.errors import DaybookError

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
FAILED: Final = 1
"""Exit code when something was refused or cannot be done; 2 is a command line that was not understood."""


@dataclass(slots=True)
class Session:
    """One run of the command line."""

    settings: Settings
    as_json: bool
    folder_given: bool = True
    """Whether somebody said which data folder is meant."""

    @contextmanager
    def calling(self) -> Generator[Distant | Local]:
        """Whoever answers for the data folder; where that is this process, it folds what is new first, and shows it."""
        with progress(unit="events", hidden=self.as_json) as bar, calling(self.settings, progress=folding(bar)) as caller:
            yield caller

    def ask(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """The answer of whoever answers for the data folder. Raises Refused or Unavailable."""
        with self.calling() as caller:
            return ask(caller, method, path, **request)

    def fold(self) -> None:
        """Bring the read models up to date, where no server does."""
        with self.calling():
            return


def folding(bar: Any, description: str = "folding") -> Any:
    """Tells a progress bar how many events are folded; it begins to be seen with the first that are."""
    task = bar.add_task(description, total=None, note="", visible=False)

    def folded(done: int, all_of: int) -> None:
        bar.update(task, completed=done, total=all_of, visible=True)

    return folded


def session_of(context: typer.Context) -> Session:
    """This run's session."""
    return cast("Session", context.find_root().obj)


@contextmanager
def failures_told(*, as_json: bool) -> Generator[None]:
    """Print what was refused to standard error, and leave with exit code 1."""
    try:
        yield
    except Refused as refused:
        print_problem(refused.problem, as_json=as_json)
        sys.exit(FAILED)
    except DaybookError as error:
        print_problem(describe(error), as_json=as_json)
        sys.exit(FAILED)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        message = f"there is no room left to write {error.filename or 'a file'}: make room and try again"
        print_problem(describe(Unavailable("disk.full", message)), as_json=as_json)
        sys.exit(FAILED)
