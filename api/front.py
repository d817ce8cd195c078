"""What is asked thousands of times a second goes straight to its endpoint, past the layers that only the other routes need."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

Direct = Mapping[tuple[str, str], tuple[str, ASGIApp]]
"""Method and path prefix → the name of the path's last part, and the endpoint that answers it."""


class Front:
    """An ASGI application before another: it knows some routes that end in one parameter, everything else it passes on.

    The endpoints are the same as in the other application, where the document and the refusal of other methods come from.
    """

    def __init__(self, app: ASGIApp, direct: Direct) -> None:
        self._app = app
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            path: str = scope["path"]
            cut = path.rfind("/") + 1
            found = self._direct.get((scope["method"], path[:cut]))
            if found is not None and cut < len(path):
                scope["path_params"] = {found[0]: path[cut:]}
                scope["template"] = f"{path[:cut]}{{{found[0]}}}"
                return await found[1](scope, receive, send)
        return await self._app(scope, receive, send)
