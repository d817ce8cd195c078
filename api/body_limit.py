"""A middleware that refuses bodies beyond a size, before they are read where their size is told."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.asking import refuse
from api.problems import TooLarge, describe


class BodyLimit:
    """Counts what is read of a request's body."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._largest:
                return await refuse(send, describe(self._too_large()))
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._largest:
                raise HTTPException(413, self._too_large().message)
            return message

        return await self._app(scope, counted, send)

    def _too_large(self) -> TooLarge:
        return TooLarge("body.too_large", f"the body may have up to {self._largest:,} bytes")
