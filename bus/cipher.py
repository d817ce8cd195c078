"""Personal texts as ciphertext tokens: AES-GCM under the key of a person, bound to the event and the field."""

from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import NamedTuple, final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import CorruptHistory

NONCE_BYTES = 12
TAG_BYTES = 16
_URL_SAFE = str.maketrans("-_", "+/")
_HEAD_BYTES = 16 + 16 + NONCE_BYTES


@final
class Token(str):
    """A ciphertext token as it came out of the log.

    The class is what tells it from a caller's text that merely looks like one: a `Token` that a decision carries on
    into a new event is stored as it is, every other text is encrypted.
    """

    __slots__ = ()


class Sealed(NamedTuple):
    """The parts of a token."""

    field: str
    person: bytes
    """The 16 bytes of the person's UUID."""
    event: bytes
    """The 16 bytes of the event's UUID."""
    nonce: bytes
    ciphertext: bytes


def seal(key: AESGCM, field: str, text: str, *, person: bytes, event: bytes, nonce: bytes) -> str:
    """The token of `text`; `nonce` must be 12 fresh random bytes."""
    sealed = key.encrypt(nonce, text.encode(), person + event + field.encode())
    return f"~{field}~{urlsafe_b64encode(person + event + nonce + sealed).decode().rstrip('=')}"


def parse(token: str) -> Sealed:
    """The parts of a token. Raises CorruptHistory `token.malformed`."""
    mark, field, body = token.split("~", 2) if token.count("~") == 2 else ("?", "", "")
    try:
        raw = a2b_base64(body.translate(_URL_SAFE) + "==")
    except (Base64Error, ValueError):
        raw = b""
    if mark or len(raw) < _HEAD_BYTES + TAG_BYTES:
        raise CorruptHistory("token.malformed", "a personal field holds something that is not a ciphertext token")
    return Sealed(field, raw[:16], raw[16:32], raw[32:_HEAD_BYTES], raw[_HEAD_BYTES:])


def search_text(person: UUID) -> str:
    """What every token under the person's key holds; the last byte of the person's id is not in it, so what is found must be parsed."""
    return "~" + urlsafe_b64encode(person.bytes[:15]).decode()


def unseal(key: AESGCM, sealed: Sealed) -> str:
    """The text in a token. Raises CorruptHistory `token.tampered` when it was altered or belongs to another event, field or key."""
    try:
        plain = key.decrypt(sealed.nonce, sealed.ciphertext, sealed.person + sealed.event + sealed.field.encode())
    except InvalidTag as error:
        raise CorruptHistory(
            "token.tampered", f"a ciphertext token of field {sealed.field} does not fit its key, event and field"
        ) from error
    return plain.decode()
