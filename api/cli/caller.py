"""How the command line asks: the server of its data folder when one runs, else the same application in this process."""

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol

import httpx2

from api.app import create_app
from api.archiving import write
from api.folder import Folder, held, server
from api.health import rebuilt_of, verified_of
from api.problems import PROBLEM, Unavailable
from api.settings import Settings
from api.wiring import Daybook, open_daybook
from projections.build import Progress

PATIENCE: Final = 10.0
"""Seconds that a command waits for another one that works in the same folder."""
LOOK_AGAIN: Final = 0.1
TIMEOUT: Final = httpx2.Timeout(5.0, read=600.0)


class Refused(Exception):
    """The application answered with a problem."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem


class Caller(Protocol):
    """Sends a request and gives the answer; where it is answered is not the caller's concern."""

    def send(self, request: httpx2.Request) -> httpx2.Response: ...


class Distant:
    """A server that runs."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.Client(timeout=TIMEOUT, trust_env=False)
        self.url = url

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """The server's answer. Raises Unavailable when it went away."""
        try:
            return self._client.send(request)
        except httpx2.TransportError as error:
            raise Unavailable("server.gone", f"the server at {self.url} did not answer ({error})") from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class Local:
    """The application in this process, over a Daybook that this process has opened."""

    url = "http://daybook"

    def __init__(self, daybook: Daybook) -> None:
        self._daybook = daybook
        self._transport = httpx2.ASGITransport(create_app(daybook))

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """The application's answer."""
        return asyncio.run(self._send(request))

    def rebuild(self, folds: Sequence[str] | None, progress: Progress) -> dict[str, Any]:
        """What `POST /v1/rebuild` does, telling how far it has come."""
        rebuilt = self._daybook.tables.rebuild(folds, progress)
        return rebuilt_of(rebuilt, self._daybook.books.log.head()).model_dump(mode="json")

    def verify(self, folds: Sequence[str] | None, progress: Progress) -> dict[str, Any]:
        """What `POST /v1/verify` does, telling how far it has come."""
        return verified_of(self._daybook.tables.verify(folds, progress)).model_dump(mode="json")

    def archive(self, progress: Progress, *, verify: bool) -> dict[str, Any]:
        """What `POST /v1/archive` does, telling how far it has come."""
        return write(self._daybook.archive, verify=verify, progress=progress)

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=self._transport, timeout=TIMEOUT) as client:
            return await client.send(httpx2.Request(request.method, request.url, headers=request.headers, content=request.content))


@contextmanager
def calling(settings: Settings, *, progress: Progress | None = None) -> Generator[Distant | Local]:
    """Whoever answers for the data folder: its server, or this process, which folds what is new first and tells `progress`.

    Raises Unavailable when another command does not let go of the folder.
    """
    folder = Folder(settings.data)
    with ExitStack() as closing:
        running = _server_or_lock(folder, closing)
        if running is None:
            yield Local(closing.enter_context(open_daybook(settings, progress=progress)))
        else:
            distant = Distant(running)
            closing.callback(distant.close)
            yield distant


def _server_or_lock(folder: Folder, closing: ExitStack) -> str | None:
    """The address of the folder's server, or None once this process holds the folder's lock."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if (running := server(folder)) is not None:
            return str(running["url"])
        try:
            closing.enter_context(held(folder))
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_AGAIN)
        else:
            return None


def ask(
    caller: Distant | Local,
    method: str,
    path: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """The answer to one request. Raises Refused for a problem."""
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    response = caller.send(httpx2.Request(method, caller.url + path, params=given, content=body, headers=dict(headers or {})))
    if response.headers.get("content-type", "").startswith(PROBLEM):
        raise Refused(response.json())
    return response
