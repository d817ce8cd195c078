"""Sending one message to one receiver, signed as Standard Webhooks has it, and what it answers."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import httpx2
from standardwebhooks import Webhook

from api.problems import InvalidRequest, encode
from api.webhooks.addresses import Addresses, UnknownNameError
from api.webhooks.errors import AddressRefused
from api.webhooks.schedule import wish_of

LARGEST_BODY: Final = 1024 * 1024
"""Bytes of a message; a larger event is given up at once and can be read from the feed."""
READ: Final = 2048
"""Bytes of an answer that are read."""
EXCERPT: Final = 500
"""Characters of an answer that are kept."""
TRIED: Final = 3
"""Addresses of one name that are tried in turn."""
DELIVERED: Final = "delivered"
_USER_AGENT: Final = "Daybook-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent; the same event always has the same id."""

    id: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of sending."""

    reason: str
    """`delivered`, or why not: `status`, `timeout`, `unreachable`, `tls`, `address`, `broken`, `too_large`."""
    at: float
    milliseconds: int
    status: int | None = None
    excerpt: str | None = None
    wish: float | None = None
    """Seconds until the receiver wants to be asked again."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.reason == DELIVERED

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == HTTPStatus.GONE


def message_of(event: dict[str, Any]) -> Message:
    """The message of an event as the feed tells it."""
    return Message(event["id"], encode({"type": event["type"], "timestamp": event["occurred_at"], "data": event}))


class Sender:
    """Sends to one receiver, over connections of its own that are kept."""

    def __init__(self, addresses: Addresses, tls: ssl.SSLContext, *, seconds: float, connections: int) -> None:
        self._addresses = addresses
        self._seconds = seconds
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx2.AsyncClient(
            verify=tls, trust_env=False, follow_redirects=False, timeout=httpx2.Timeout(seconds), limits=limits
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def send(self, url: str, message: Message, secrets: Sequence[str]) -> Answer:
        """Send a message, signed with every secret; whatever goes wrong is told in the answer."""
        at, began = time.time(), time.monotonic()
        status: int | None = None
        read = bytearray()
        wish: float | None = None
        reason = "too_large"
        try:
            if len(message.body) <= LARGEST_BODY:
                async with asyncio.timeout(self._seconds):
                    response = await self._post(url, message, _headers(message, secrets, at))
                    status, wish = response.status_code, wish_of(response.headers.get("retry-after"), at)
                    await _read(response, read)
        except (TimeoutError, httpx2.TimeoutException):
            reason = "timeout"
        except (AddressRefused, InvalidRequest) as error:
            reason, read = "address", bytearray(error.message.encode())
        except (UnknownNameError, httpx2.TransportError, OSError) as error:
            reason, read = _failure(error), bytearray(str(error).encode())
        if status is not None:
            # It has answered; whether all of its answer came does not matter.
            reason = DELIVERED if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES else "status"
        milliseconds = int((time.monotonic() - began) * 1000)
        return Answer(reason=reason, at=at, milliseconds=milliseconds, status=status, excerpt=_excerpt(read), wish=wish)

    async def _post(self, url: str, message: Message, headers: dict[str, str]) -> httpx2.Response:
        """The receiver's answer, its body not read yet; each address that the name stands for is tried in turn."""
        parts, found = await self._addresses.of(url)
        host = str(parts.hostname)
        headers["host"] = parts.netloc
        last: httpx2.TransportError | None = None
        for address in found[:TRIED]:
            place = httpx2.URL(url).copy_with(host=address)
            request = self._client.build_request("POST", place, content=message.body, headers=headers, extensions={"sni_hostname": host})
            try:
                return await self._client.send(request, stream=True)
            except httpx2.ConnectError as error:
                last = error
        raise last or UnknownNameError(f"{host} stands for no address")


async def _read(response: httpx2.Response, into: bytearray) -> None:
    """Read the beginning of an answer; a longer one is hung up on."""
    try:
        async for part in response.aiter_raw():
            into += part[: READ - len(into)]
            if len(into) >= READ:
                return
    finally:
        await response.aclose()


def _headers(message: Message, secrets: Sequence[str], at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(int(at), UTC)
    text = message.body.decode()
    signatures = " ".join(Webhook(secret).sign(message.id, moment, text) for secret in secrets)
    return {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": _USER_AGENT,
        "webhook-id": message.id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": signatures,
    }


def _failure(error: BaseException) -> str:
    if isinstance(error, UnknownNameError):
        return "unreachable"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    return "unreachable" if isinstance(error, httpx2.ConnectError) else "broken"


def _excerpt(read: bytearray) -> str | None:
    """The beginning of an answer as text, without what steers a terminal."""
    text = read.decode("utf-8", "replace")[:EXCERPT]
    return "".join(sign if sign.isprintable() else " " for sign in text).strip() or None
