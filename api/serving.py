"""Serving one Daybook over HTTP until the process is told to stop; what was begun is answered first."""

import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn

from api.app import create_server
from api.folder import Folder, announced, held
from api.observing import logs
from api.problems import Unavailable
from api.settings import InvalidSettings, Settings, is_loopback
from api.webhooks.deliverer import delivering
from api.wiring import open_daybook
from projections.build import Progress

log: Final = logs.logger(__name__)

BACKLOG: Final = 2048
PATIENCE: Final = 5.0
"""Seconds that a new server waits for the old one, or a command, to let go of the folder."""
FAREWELL: Final = 20
"""Seconds that requests under way have to be answered when the server is told to stop."""


def serve(settings: Settings, *, ready: Callable[[str], None], progress: Progress | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the address, `progress` what is folded before. Raises Unavailable or InvalidSettings."""
    if not is_loopback(settings.host):
        message = f"host {settings.host} can be reached from other machines, and there is no access control yet: serve on 127.0.0.1"
        raise InvalidSettings(message)
    folder = Folder(settings.data)
    with held(folder, patience=PATIENCE), _bound(settings) as listener, open_daybook(settings, follow=True, progress=progress) as daybook:
        url = f"http://{settings.host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            create_server(daybook),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=FAREWELL,
        )
        with announced(folder, url), _signals_survived(), delivering(daybook):
            ready(url)
            log.info("serving", url=url, head=daybook.books.log.head())
            Server(config, farewell=daybook.streams.end).run(sockets=[listener])
        log.info("stopped")


class Server(uvicorn.Server):
    """A server that says farewell to what would never end by itself, before it waits for what is being answered."""

    def __init__(self, config: uvicorn.Config, *, farewell: Callable[[], None]) -> None:
        super().__init__(config)
        self._farewell = farewell

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, take no more requests, and wait for those under way."""
        self._farewell()
        await super().shutdown(sockets)


@contextmanager
def _bound(settings: Settings) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            message = f"{settings.host}:{settings.port} cannot be served on ({error.strerror}); choose another with --port"
            raise Unavailable("server.address_taken", message) from None
        listener.listen(BACKLOG)
        yield listener


@contextmanager
def _signals_survived() -> Generator[None]:
    """The server stops at a signal and raises it again afterwards; what has to be closed is closed all the same."""

    def noted(_number: int, _frame: FrameType | None) -> None:
        return

    before = {number: signal.signal(number, noted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
