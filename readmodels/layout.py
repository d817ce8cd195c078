"""The shape of a read model's table: which columns it has, of which kind, and which version of it serves."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MARK_PREFIX: Final = "mark__"
"""Hidden columns carry by which event a value won; views leave them out."""


class Kind(StrEnum):
    """What a cell holds. Cells are canonical: as JSON has them, so that every evaluator and store can be compared."""

    TEXT = "text"
    ID = "id"
    """A UUID as 36 characters of text."""
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    """An exact decimal as an integer count of 1/10000."""
    INSTANT = "instant"
    """UTC text of fixed width, `2026-03-01T09:30:00.000000Z`."""
    DATE = "date"
    TEXTS = "texts"
    """A tuple of texts."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `hidden` ones are kept for combining rows and are not in the view."""

    name: str
    kind: Kind
    personal: bool = False
    """Whether it holds ciphertext of what identifies a person."""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A read model's table: `key` names its first columns; `shown` are the columns of its view, in order."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    shown: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns in their order."""
        return tuple(column.name for column in self.columns)

    @property
    def cells(self) -> tuple[Column, ...]:
        """The columns after the key."""
        return self.columns[len(self.key) :]

    def without_personal(self) -> "Layout":
        """The same table as analysts may see it."""
        kept = tuple(column for column in self.columns if not column.personal)
        names = {column.name for column in kept}
        return Layout(
            self.name,
            self.key,
            kept,
            tuple(name for name in self.shown if name in names),
            tuple(index for index in self.indexes if names.issuperset(index)),
        )

    def indexing(self, number: int) -> list[str]:
        """The statements that make version `number`'s secondary indexes, where they are not there yet."""
        table = self.physical(number)
        named = [(f"ix_{table}__{place}", ", ".join(f'"{name}"' for name in names)) for place, names in enumerate(self.indexes, start=1)]
        return [f'CREATE INDEX IF NOT EXISTS "{name}" ON "{table}" ({columns})' for name, columns in named]

    def physical(self, number: int) -> str:
        """The name of the table that holds version `number`."""
        return f"{self.name}__{number}"


class Moved(Exception):
    """Another writer has moved a fold on since it was read; read again."""


class State(StrEnum):
    """What a version of a read model is there for."""

    SERVING = "serving"
    BUILDING = "building"
    KEPT = "kept"
    """Served before; kept for one roll-back."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a read model's table, as the store's register has it."""

    fold: str
    number: int
    state: State
    fingerprint: str
    """Of the declaration and the event shapes that it was folded by."""
    position: int
    """Everything up to this event is in it."""
    error_position: int | None = None
    """The event that its fold failed on; it stays where it is until that is mended."""
    error: str | None = None
    base: int = 0
    """Up to where it was folded as a whole; what is after that came in partition by partition, if it has `partitions`."""
    partitions: tuple[int, ...] = ()
    """How far each partition has come by itself."""

    def reached(self, partition: int) -> int:
        """Up to which position everything of a partition is in it."""
        return max(self.base, self.partitions[partition])

    @property
    def furthest(self) -> int:
        """The last position that it may hold anything of."""
        return max(self.position, self.base, *self.partitions)


@dataclass(frozen=True, slots=True)
class Move:
    """One partition of a version has come from where the version says up to `after`."""

    version: Version
    partition: int
    after: int
