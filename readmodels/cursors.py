"""Places in an ordered list, as callers carry them: opaque, signed, and good for the same question only."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, literal, tuple_

from domain.errors import NotFound

SIGNATURE_BYTES: Final = 12


class Cursors:
    """Makes and reads cursors; `secret` must not be guessed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def cursor(self, question: str, place: Sequence[str | int]) -> str:
        """The cursor after the row at `place` (the values of its order) of the answer to `question`."""
        body = orjson.dumps(place)
        return urlsafe_b64encode(self._signature(question, body) + body).decode().rstrip("=")

    def place(self, question: str, cursor: str) -> list[Any]:
        """Where an earlier answer to `question` ended. Raises NotFound `cursor.unknown`."""
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (Base64Error, ValueError):
            raw = b""
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(question, body)):
            raise NotFound("cursor.unknown", "this cursor does not come from an answer to the same question; ask again without it")
        return orjson.loads(body)

    def _signature(self, question: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, question.encode() + b"\0" + body, "sha256")[:SIGNATURE_BYTES]


def beyond(columns: Sequence[ColumnElement[Any]], place: Sequence[Any], *, descending: bool = False) -> ColumnElement[bool]:
    """Rows that come after `place` in the order of `columns`, none of which is ever empty."""
    there = tuple_(*(literal(value, column.type) for value, column in zip(place, columns, strict=True)))
    return tuple_(*columns) < there if descending else tuple_(*columns) > there
