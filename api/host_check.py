"""Refuses requests that name another host than this machine, so that no web page elsewhere can read through a browser on it."""

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.asking import refuse
from api.problems import problem

LOCAL: Final = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})


class HostCheck:
    """An ASGI application before another, as long as there is no access control: a name that points here by deceit is not served."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._known = LOCAL | {host.encode(), f"[{host}]".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and self._host(scope) not in self._known:
            detail = "this Daybook is for this machine only; ask it by http://127.0.0.1"
            return await refuse(send, problem(HTTPStatus.MISDIRECTED_REQUEST, "host.unknown", detail))
        return await self._app(scope, receive, send)

    @staticmethod
    def _host(scope: Scope) -> bytes:
        """The host that the request names, without its port; empty when it names none."""
        for name, value in scope["headers"]:
            if name == b"host":
                host, colon, port = value.lower().rpartition(b":")
                return host if colon and port.isdigit() else value.lower()
        return b""
