"""What every command of the command line has at hand: the settings, how to print, and what an error does."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import typer

from api.cli.caller import Refused, ask, calling
from api.cli.output import print_answer, print_problem
from api.problems import describe
from api.settings import Settings
from domain.errors import DaybookError

FAILED: Final = 1
"""Exit code when something was refused or cannot be done; 2 is a command line that was not understood."""


@dataclass(slots=True)
class Session:
    """One run of the command line."""

    settings: Settings
    as_json: bool

    def ask(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """The answer of whoever answers for the data folder. Raises Refused or Unavailable."""
        with calling(self.settings) as caller:
            return ask(caller, method, path, **request)

    def fold(self) -> None:
        """Bring the read models up to date, where no server does."""

    def show(self, path: str, parameters: Mapping[str, Any], title: str = "") -> None:
        """Ask for something and print it."""
        print_answer(self.ask("GET", path, parameters=parameters).json(), as_json=self.as_json, title=title)


def session_of(context: typer.Context) -> Session:
    """This run's session."""
    session = context.find_root().obj
    assert isinstance(session, Session)
    return session


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
