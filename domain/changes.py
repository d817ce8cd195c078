"""Changes to a group of fields of which only some are said: what is left out stays as it is, None clears."""

from collections.abc import Mapping
from typing import Any


def tells_news(before: object, changes: Mapping[str, Any], *, personal: frozenset[str]) -> bool:
    """Whether `changes` (by field name) say anything that `before` does not.

    A personal text always does: what the log gives back of it is encrypted, so the two cannot be compared, and a decision
    must not depend on whether the text happens to be still in memory.
    """
    return any(getattr(before, name) != value or (name in personal and value is not None) for name, value in changes.items())
