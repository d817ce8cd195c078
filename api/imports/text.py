"""Sentences for people who write mappings."""

from collections.abc import Iterable
from difflib import get_close_matches


def choices(names: Iterable[str], most: int = 30) -> str:
    """Names listed, the first `most` of them."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more if listed else "none"


def suggestion(name: str, names: Iterable[str]) -> str:
    """`did you mean “…”?` or which names there are."""
    listed = list(names)
    near = get_close_matches(name, listed, n=1)
    return f"did you mean “{near[0]}”?" if near else f"there are: {choices(listed)}"
