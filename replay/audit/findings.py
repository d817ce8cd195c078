"""What a verification finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """In which way something is not as it was."""

    EDITED = "edited"
    """An event is another than the one that was hashed."""
    MISSING = "missing"
    """Events were taken out."""
    INSERTED = "inserted"
    """Events stand where none were recorded."""
    SWAPPED = "swapped"
    """Events stand in each other's places."""
    TRUNCATED = "truncated"
    """The log ends too early: it was cut, or an older copy was put back."""
    REWRITTEN = "rewritten"
    """The log and its tree fit together, but not a checkpoint: history between was replaced."""
    FORKED = "forked"
    """Two checkpoints of one size have different roots: two histories were shown."""
    TREE = "tree"
    """The stored hashes were altered; the log may be sound."""
    RECEIPT = "receipt"
    """A receipt and the log do not fit together."""
    SIGNATURE = "signature"
    """A checkpoint is not signed by the key that it should be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; positions from `first` to `last`."""

    kind: Kind
    first: int
    last: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification looked at, and what it found."""

    events: int
    """Events that were hashed again."""
    hashed: int
    """Events whose stored hashes they were compared with; those after them were not hashed before."""
    root: str
    """The root over all events as they are now, in base64."""
    confirmed: Sequence[int]
    """The sizes of checkpoints that fit."""
    findings: Sequence[Finding]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def grouped(kind: Kind, positions: Sequence[int], message: str) -> list[Finding]:
    """A finding for each run of neighbouring positions; `message` may name {where}."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][1] + 1:
            runs[-1][1] = position
        else:
            runs.append([position, position])
    return [Finding(kind, first, last, message.format(where=where(first, last))) for first, last in runs]


def where(first: int, last: int) -> str:
    """One position or a range of them, for people."""
    return f"position {first}" if first == last else f"positions {first} to {last}"
