"""Rows found by a key in other files of the same import."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from api.imports.errors import ImportRefused, RowRefused
from api.imports.expressions import Scope
from api.imports.filters import Terms
from api.imports.intake import Intake
from api.imports.mapping import Find, Finds, Lookup
from api.imports.sources import BadRow, Row


def facts_of(row: Row) -> dict[str, str | None]:
    """What the import itself knows of a row."""
    return {"row": str(row.number), "line": str(row.line), "file": row.file}


@dataclass(slots=True)
class Lookups:
    """All lookups of an import, in memory: by key, the columns asked for."""

    tables: dict[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict[str, Mapping[str, Mapping[str, str]]])
    bad: list[tuple[str, BadRow]] = field(default_factory=list[tuple[str, BadRow]])
    """Rows that could not be read, with the file's name in the mapping."""

    def row(self, finds: Finds, row: Row, terms: Terms) -> dict[str, str | None]:
        """The row's columns and what its lookups find, as `name.column`. Raises RowRefused for a key of which a part is empty."""
        cells: dict[str, str | None] = dict(row.cells)
        for name, find in finds.items():
            found = self._found(name, find, cells, row, terms)
            cells.update({f"{name}.{column}": cell for column, cell in (found or {}).items()})
        return cells

    def require(self, finds: Finds, row: Row, cells: Mapping[str, str | None], terms: Terms) -> None:
        """Hold a row that is wanted to its required lookups. Raises RowRefused `lookup.not_found`."""
        for name, find in finds.items():
            if find.required and self._found(name, find, cells, row, terms) is None:
                key = find.key.key(Scope(cells, facts_of(row), terms))
                raise RowRefused("lookup.not_found", f"lookup “{name}”: there is no row with the key “{key or ''}”")

    def _found(self, name: str, find: Find, cells: Mapping[str, str | None], row: Row, terms: Terms) -> Mapping[str, str] | None:
        key = find.key.key(Scope(cells, facts_of(row), terms))
        return self.tables[find.lookup or name].get(key) if key is not None else None


def load_lookups(intake: Intake) -> Lookups:
    """Read the files that are looked up in. Raises ImportRefused for a key with two meanings."""
    lookups = Lookups()
    for name, lookup in intake.plan.lookups.items():
        lookups.tables[name] = dict(_read(intake, name, lookup, lookups.bad))
    return lookups


def _read(intake: Intake, name: str, lookup: Lookup, bad: list[tuple[str, BadRow]]) -> Iterator[tuple[str, Mapping[str, str]]]:
    terms = intake.plan.terms[lookup.file]
    first: dict[str, tuple[int, Mapping[str, str]]] = {}
    for each in intake.rows(lookup.file):
        if isinstance(each, BadRow):
            bad.append((lookup.file, each))
            continue
        try:
            key = lookup.key.key(Scope(each.cells, facts_of(each), terms))
        except RowRefused as error:
            bad.append((lookup.file, BadRow(each, error.code, error.message)))
            continue
        if key is None:
            continue
        found = {column: cell for column in lookup.columns if (cell := each.cells.get(column))}
        number, before = first.setdefault(key, (each.number, found))
        if before != found and lookup.duplicates == "refuse":
            message = f'{each.file}: lookup “{name}”: rows {number} and {each.number} have the key “{key}” and differ; say duplicates = "first" or "last"'
            raise ImportRefused("import.lookup", message)
        if number == each.number or lookup.duplicates == "last":
            yield key, found
