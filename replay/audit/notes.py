"""Checkpoints as signed notes (C2SP signed-note and tlog-checkpoint), and the Ed25519 key that signs them."""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from replay.audit.errors import KeyUnusable, NoteMalformed
from replay.audit.merkle import HASH_BYTES

ED25519: Final = b"\1"
"""The signature type of Ed25519 in a signed note."""
_PRIVATE: Final = "PRIVATE+KEY+"
_KEY = re.compile(r"^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$")
_SIGNATURE = re.compile(r"^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)$")
_SIZE = re.compile(r"^(0|[1-9][0-9]{0,17})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log of `size` events was: `origin` says which log, `root` is its Merkle tree's."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The body of the note."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checkpoints are verified with; its name is the log's origin."""

    name: str
    key: bytes

    @property
    def hash(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{b64encode(ED25519 + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """A key as it is published: name, hash, and base64. Raises KeyUnusable."""
        name, key = _parts(text)
        public = cls(name, key)
        if str(public) != text.strip():
            raise KeyUnusable("audit.key_malformed", "this is no public key for checkpoints: its hash does not fit")
        return public


class SigningKey:
    """A key that signs checkpoints, kept as one line of text."""

    def __init__(self, name: str, secret: bytes) -> None:
        self._secret = secret
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())

    @classmethod
    def new(cls) -> "SigningKey":
        """A fresh key under a random name."""
        return cls(f"daybook/{os.urandom(8).hex()}", os.urandom(32))

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """The key in a line that `line` made. Raises KeyUnusable."""
        if not text.startswith(_PRIVATE):
            raise KeyUnusable("audit.key_malformed", f"a key for signing checkpoints begins with {_PRIVATE}")
        name, secret = _parts(text.removeprefix(_PRIVATE))
        return cls(name, secret)

    def line(self) -> str:
        """The key as text: a secret."""
        return f"{_PRIVATE}{self.public.name}+{self.public.hash.hex()}+{b64encode(ED25519 + self._secret).decode()}"

    def sign(self, size: int, root: bytes) -> str:
        """A signed checkpoint."""
        text = Checkpoint(self.public.name, size, root).text()
        signature = b64encode(self.public.hash + self._key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.public.name} {signature}\n"


def _parts(text: str) -> tuple[str, bytes]:
    found = _KEY.match(text.strip())
    raw = _decoded(found[3]) if found else b""
    if found is None or len(raw) != 33 or raw[:1] != ED25519:
        raise KeyUnusable("audit.key_malformed", "a key is its name, its hash and 33 bytes in base64, joined by plus signs")
    return found[1], raw[1:]


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def parse(note: str) -> Checkpoint:
    """The checkpoint in a note, whoever signed it. Raises NoteMalformed."""
    body, _, _ = note.partition("\n\n")
    lines = body.split("\n")
    root = _decoded(lines[2]) if len(lines) > 2 else b""
    if not lines[0] or len(root) != HASH_BYTES or not _SIZE.match(lines[1]):
        raise NoteMalformed(
            "audit.note_malformed",
            "a checkpoint is an origin, a size and a root in base64, each on a line, and a signature after an empty line",
        )
    return Checkpoint(lines[0], int(lines[1]), root)


def signed_by(note: str, keys: Sequence[PublicKey]) -> PublicKey | None:
    """Which of the keys has signed the note, None when none has (a wrong signature counts as none)."""
    body, _, signatures = note.partition("\n\n")
    for line in signatures.split("\n"):
        found = _SIGNATURE.match(line)
        raw = _decoded(found[2]) if found else b""
        for key in keys:
            if found and key.name == found[1] and raw[:4] == key.hash and _verifies(key, raw[4:], f"{body}\n"):
                return key
    return None


def _verifies(key: PublicKey, signature: bytes, text: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
