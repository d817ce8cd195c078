"""The files of an import: which of them are which, and that they can be read to their ends before anything is imported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.imports.csv_rows import csv_header, csv_rows
from api.imports.errors import ImportRefused, UnreadableFile
from api.imports.expressions import Template
from api.imports.mapping import Cases, File, Plan, Rows
from api.imports.sources import BadRow, Limits, Row
from api.imports.text import choices, suggestion
from api.imports.xes_rows import xes_rows

Progress = Callable[[str, int, int | None], None]
"""Told a phase (`reading`, `importing`), how many rows are done, and of how many if that is known."""
OFTEN = 5_000


@dataclass(frozen=True, slots=True)
class Intake:
    """The files given for each of the mapping's file names, in the order they were given."""

    plan: Plan
    paths: Mapping[str, Sequence[Path]]
    limits: Limits
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """Rows of each, once they have been looked through."""

    def rows(self, name: str) -> Iterator[Row | BadRow]:
        """Every row of a file. Raises UnreadableFile."""
        file = self.plan.files[name]
        for path in self.paths.get(name, ()):
            yield from xes_rows(path, self.limits) if file.is_xes else csv_rows(path, file, self.limits)

    def look_through(self, progress: Progress) -> None:
        """Read everything once, so that a damaged file or a missing column is told before anything is imported. Raises UnreadableFile."""
        seen = 0
        for name, file in self.plan.files.items():
            columns = {column for path in self.paths.get(name, ()) for column in _header(path, file, self.limits)}
            count = 0
            for each in self.rows(name):
                count += 1
                seen += 1
                if file.is_xes:
                    columns.update((each.row if isinstance(each, BadRow) else each).cells)
                if seen % OFTEN == 0:
                    progress("reading", seen, None)
            self.counts[name] = count
            if count:
                self._check_columns(name, columns)
        progress("reading", seen, seen)

    def _check_columns(self, name: str, columns: set[str]) -> None:
        title = ", ".join(path.name for path in self.paths[name])
        for lookup in (lookup for lookup in self.plan.lookups.values() if lookup.file == name):
            wanted = [*lookup.columns, *(each.name for each in lookup.key.operands if each.kind == "column" and not each.optional)]
            for column in wanted:
                _require(title, column, columns, column)
        for part in (*self.plan.rows, *self.plan.cases):
            if part.file != name:
                continue
            there = columns | {
                f"{key}.{column}" for key in part.lookups for column in self.plan.lookups[part.lookups[key].lookup or key].columns
            }
            for template in read_by(part, xes=self.plan.files[name].is_xes):
                for operand in template.operands:
                    if operand.kind == "column" and not operand.optional:
                        _require(title, operand.name, there, template.source)


def _header(path: Path, file: File, limits: Limits) -> Sequence[str]:
    return () if file.is_xes else csv_header(path, file, limits)


def _require(title: str, column: str, columns: set[str], source: str) -> None:
    if column not in columns:
        raise UnreadableFile(
            title,
            f"it has no column “{column}”, which {source} reads; {suggestion(column, sorted(columns))} (a column that may be missing is {{{column}?}})",
        )


def read_by(part: Rows | Cases, *, xes: bool) -> Iterator[Template]:
    """Every template that reads the rows of a part's file."""
    yield from (find.key for find in part.lookups.values())
    yield from (template for condition in part.when for template in condition.templates)
    yield from (template for command in part.commands for template in command.templates)
    if isinstance(part, Rows):
        yield part.id
        yield from [part.occurred_at] if part.occurred_at else []
        return
    for role in ("case",) if part.wide else ("case", "activity", "time", "resource", "lifecycle"):
        yield from [template] if (template := part.column(role, xes=xes)) else []
    yield from [part.id] if part.id else []
    yield from (moment.time for moment in part.wide)
    yield from (template for activity in part.activities for condition in activity.when for template in condition.templates)


def take_in(plan: Plan, given: Sequence[Path], limits: Limits) -> Intake:
    """Sort the given files (a folder stands for those files in it that the mapping knows). Raises ImportRefused."""
    paths: dict[str, list[Path]] = {name: [] for name in plan.files}
    for path in given:
        if path.is_dir():
            for inside in sorted(path.iterdir()):
                if inside.is_file():
                    _place(plan, inside, paths)
        elif not path.is_file():
            raise UnreadableFile(str(path), "there is no such file")
        elif not _place(plan, path, paths):
            known = choices(pattern for file in plan.files.values() for pattern in file.pattern)
            raise ImportRefused("import.file", f"{path.name}: the mapping “{plan.name}” knows no file of that name; it takes {known}")
    missing = [
        f"{name} ({' or '.join(plan.files[name].pattern)})" for name, found in paths.items() if not found and not plan.files[name].optional
    ]
    if missing:
        raise ImportRefused("import.file", f"the mapping “{plan.name}” needs more files: {choices(missing)}; give them too")
    if not any(paths.values()):
        known = choices(pattern for file in plan.files.values() for pattern in file.pattern)
        raise ImportRefused("import.file", f"none of the mapping's files is given; it takes {known}")
    return Intake(plan, paths, limits)


def _place(plan: Plan, path: Path, paths: Mapping[str, list[Path]]) -> bool:
    name = next((name for name, file in plan.files.items() if file.takes(path.name)), None)
    if name is not None and path.resolve() not in [each.resolve() for each in paths[name]]:
        paths[name].append(path)
    return name is not None
