"""Changes for a person to read: field by field, with personal texts readable, marked where their person was forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from readmodels.opening import Decrypt
from replay.changes.attributes import Sealed
from replay.changes.tracking import Change


class FieldChange(TypedDict):
    """An attribute of a record before and after an event, None where there was or is nothing."""

    field: str
    before: Any
    after: Any
    personal: bool
    """Whether it is kept under a person's key: None then means nothing, left out, or erased."""
    erased: bool
    """Whether the person was forgotten, so that it can never be read again."""


def told(changes: Sequence[Change], decrypt: Decrypt | None) -> list[list[FieldChange]]:
    """What each change did, field by field; without `decrypt` personal texts are left out.

    A text that was written again as it was is no change, though its stored bytes are others.
    """
    sealed = {
        text: "" for change in changes for side in (change.before, change.after) for text in side.values() if isinstance(text, Sealed)
    }
    texts = decrypt(list(sealed)) if decrypt else [None] * len(sealed)
    plain: Mapping[Any, str | None] = dict(zip(sealed, texts, strict=True))
    return [
        [
            field
            for name in change.after
            for field in [_field(name, change.before[name], change.after[name], plain, withheld=decrypt is None)]
            if field["personal"] or field["before"] != field["after"]
        ]
        for change in changes
    ]


def _field(name: str, before: Any, after: Any, plain: Mapping[Any, str | None], *, withheld: bool) -> FieldChange:
    sealed = [value for value in (before, after) if isinstance(value, Sealed)]
    unreadable = any(plain[value] is None for value in sealed)
    shown = [plain[value] if isinstance(value, Sealed) else value for value in (before, after)]
    # Two texts that read the same are one; two that cannot be read may be two.
    personal = bool(sealed) and (unreadable or shown[0] != shown[1])
    return {"field": name, "before": shown[0], "after": shown[1], "personal": personal, "erased": unreadable and not withheld}
