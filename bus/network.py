"""How long connections to PostgreSQL wait for a network that has fallen silent."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

PATIENCE: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""Seconds, but for the last one: milliseconds. After about ten seconds without a sign of life a connection counts as lost. What was asked
by it is answered with a problem, and the next one opens another. Without these, a host that vanished is waited for for a quarter of an hour."""


def patient(url: str) -> str:
    """The `postgresql://…` address with our patience, where it does not say its own."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit(parts._replace(query=urlencode(dict(PATIENCE) | given)))
