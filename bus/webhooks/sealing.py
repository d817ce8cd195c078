"""How secrets and receivers' answers are kept: encrypted, the secrets under a key of this Daybook, the answers under the keys of whom they may name."""

import os
from base64 import b64encode
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bus.cipher import NONCE_BYTES, parse, seal
from bus.vault import Vault, WrongMasterKey
from domain.errors import CorruptHistory

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
_FIELD: Final = "answer"


def fresh_secret() -> str:
    """A new secret, as Standard Webhooks writes it."""
    return PREFIX + b64encode(os.urandom(SECRET_BYTES)).decode()


class Seals:
    """Seals and opens what is kept of webhooks."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = AESGCM(vault.secret("webhooks"))

    def seal_secret(self, secret: str, subscription_id: str) -> bytes:
        """A secret as it is stored."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, secret.encode(), subscription_id.encode())

    def open_secret(self, sealed: bytes, subscription_id: str) -> str:
        """The secret. Raises WrongMasterKey `webhooks.sealed_elsewhere` when it was sealed by another Daybook's keys."""
        try:
            return self._key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], subscription_id.encode()).decode()
        except InvalidTag:
            message = "a webhook's secret was sealed under other keys than these; rotate it, or put the right keys back"
            raise WrongMasterKey("webhooks.sealed_elsewhere", message) from None

    def seal_answer(self, answer: str, tokens: Sequence[str], event_id: str) -> str:
        """What a receiver answered, under the keys of all persons whom the event's tokens are about: it may repeat what it was sent.

        It is unreadable as soon as one of them is erased.
        """
        for person in sorted({parse(token).person for token in tokens}):
            key = self._vault.keys({person})[person]
            answer = seal(key, _FIELD, answer, person=person, event=UUID(event_id).bytes, nonce=os.urandom(NONCE_BYTES))
        return answer

    def open_answer(self, sealed: str | None) -> str | None:
        """What a receiver answered, None once somebody whom it may name was erased."""
        text = sealed
        while text is not None and text.startswith(f"~{_FIELD}~"):
            try:
                text = self._vault.decrypt(text)
            except CorruptHistory:
                return None
        return text
