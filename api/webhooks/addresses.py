"""Where webhooks may be sent: https, and only to addresses of the public internet, whatever a name is said to stand for.

A name is looked up and all its addresses are checked before each connection, and the connection is made to a checked address, so
that a name that changes its meaning between check and connection gains nothing.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from api.problems import InvalidRequest
from api.webhooks.errors import AddressRefused

LONGEST_URL: Final = 2000
LOOKUP_SECONDS: Final = 5.0
KNOWN_SECONDS: Final = 30.0
"""How long a name is not looked up again."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SCHEMES: Final = {"https": 443, "http": 80}

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class UnknownNameError(Exception):
    """A name that nothing is known of just now."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses that a name stands for. Raises UnknownNameError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownNameError(str(error)) from None
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def is_public(address: Address) -> bool:
    """Whether this is an address of the public internet, also where another one is packed into it."""
    inner = _packed(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _packed(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def check_url(url: str, *, private: bool) -> SplitResult:
    """The parts of an address that may be sent to, as far as it says by itself. Raises InvalidRequest or AddressRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(str(error)) from None
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise _wrong(f"give up to {LONGEST_URL:,} printable ASCII characters without spaces")
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0:
        raise _wrong("give an https:// address")
    if parts.username is not None or parts.fragment:
        raise _wrong("give an address without user, password or fragment")
    if parts.scheme != "https" and not private:
        raise AddressRefused("webhook.not_https", "webhooks are sent by https only (unless DAYBOOK_WEBHOOK_PRIVATE=true)")
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise _wrong(f"its host is no name ({error})") from None
    return parts


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(f"url: {message}", [{"loc": ["url"], "msg": message}])


def checked(found: Sequence[str], host: str, *, private: bool) -> list[str]:
    """The addresses, all of which may be sent to. Raises AddressRefused `webhook.address_private`."""
    if not private:
        for address in found:
            if not is_public(ip_address(address)):
                message = f"{host} leads to {address}, which is not on the public internet (unless DAYBOOK_WEBHOOK_PRIVATE=true)"
                raise AddressRefused("webhook.address_private", message)
    return list(found)


class Addresses:
    """Looks names up in threads of its own, so that a name server that does not answer delays nobody else."""

    def __init__(self, *, private: bool, most: int, lookup: Resolve = resolve) -> None:
        self.private = private
        self._lookup = lookup
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="webhook-names")
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}

    async def of(self, url: str) -> tuple[SplitResult, list[str]]:
        """The parts of an address, and the addresses that may be connected to.

        Raises InvalidRequest, AddressRefused, UnknownNameError, or TimeoutError.
        """
        parts = check_url(url, private=self.private)
        host, port = str(parts.hostname), parts.port or _SCHEMES[parts.scheme]
        known = self._known.get((host, port))
        if known is None or known[0] < time.monotonic():
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await asyncio.get_running_loop().run_in_executor(self._pool, self._lookup, host, port)
            known = (time.monotonic() + KNOWN_SECONDS, checked(found, host, private=self.private))
            self._known[host, port] = known
        return parts, known[1]

    def forget(self) -> None:
        """Look every name up again."""
        self._known.clear()

    def close(self) -> None:
        """Let go of the threads; one that waits for a name server ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
