"""Starts `daybook` commands, as processes that can be killed.

Reading all the code takes a process longer than most of the work that these tests interrupt. So one process reads it
once, and forks for each command: what is killed is at work, and not still on its way to it.
"""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from tests.faults.disk import enter

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = (sys.executable, "-c", "from api.cli import main; main()")
_FORKING: Final = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["api.cli", "api.serving", "tests.faults.commands"])


class Running(Protocol):
    """A process that was started."""

    pid: int

    def kill(self) -> None: ...
    def terminate(self) -> None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class Forked:
    """A command in a process that had all code in memory when it began; used like a `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], output: Path, settings: Mapping[str, str], inside: int | None) -> None:
        self.arguments = arguments
        self._process = _FORKING.Process(target=_obey, args=(list(arguments), str(output), dict(settings), inside))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(list(self.arguments), timeout or 0.0)
        return self._process.exitcode


def _obey(arguments: list[str], output: str, settings: dict[str, str], inside: int | None) -> None:
    """Be the command: what `daybook` does with these arguments."""
    from api.cli import main  # noqa: PLC0415 - the test's own process has no need of it

    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        del os.environ[name]
    os.environ.update({f"DAYBOOK_{name.upper()}": value for name, value in settings.items()})
    os.chdir(ROOT)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, descriptor), (2, descriptor)):
        os.dup2(source, target)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
    sys.argv = ["daybook", *arguments]
    if inside is not None:
        enter(inside)
    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def start(data: Path, *arguments: str, output: Path, settings: Mapping[str, str] | None = None, inside: int | None = None) -> Forked:
    """A `daybook` command on a data folder, started; what it writes is added to `output`.

    `inside` is a process whose file systems it sees, in a namespace of its own.
    """
    return Forked(["--data", str(data), "--json", *arguments], output, settings or {}, inside)


def run(data: Path, *arguments: str, timeout: float = 120.0, succeeds: bool = True) -> Any:
    """What a `daybook` command answers; fails unless it succeeds."""
    output = data.with_name(f"{data.name}.{arguments[0]}.txt")
    output.unlink(missing_ok=True)
    running = start(data, *arguments, output=output)
    try:
        code = running.wait(timeout)
    finally:
        with suppress(ProcessLookupError):
            running.kill()
    text = output.read_text()
    assert code == 0 or not succeeds, f"daybook {' '.join(arguments)} ended with {code}: {text}"
    return json.loads(text)
