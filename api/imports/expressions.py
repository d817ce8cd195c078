"""Text with values in it, as mappings write it: `{column}`, `{a ?? b ?? 'constant'}`, `{column | lower | values('table')}`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.imports.errors import RowRefused
from api.imports.filters import FILTERS, TABLE_FILTERS, Terms, Value, check_arguments
from api.imports.text import suggestion


@dataclass(frozen=True, slots=True)
class Scope:
    """Where values come from: the row's columns, what the import itself knows of the row (`@…`), and the mapping's terms."""

    row: Mapping[str, str | None]
    own: Mapping[str, str | None]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Operand:
    """One source of a value. `kind`: `column`, `own` (`@…`), `constant` (`$…`) or `literal`; an optional column may be missing."""

    kind: str
    name: str
    optional: bool = False

    def value(self, scope: Scope) -> str | None:
        """The text, None when empty."""
        match self.kind:
            case "literal":
                return self.name
            case "constant":
                return scope.terms.constants[self.name]
            case "own":
                return scope.own.get(self.name) or None
            case _:
                return scope.row.get(self.name) or None


@dataclass(frozen=True, slots=True)
class Placeholder:
    """The first operand that is not empty, put through the filters in turn; empty stays empty."""

    operands: Sequence[Operand]
    filters: Sequence[tuple[str, Sequence[str]]]

    def value(self, scope: Scope) -> Value:
        """The value for a row. Raises RowRefused."""
        value: Value = None
        for operand in self.operands:
            value = operand.value(scope)
            if value is not None:
                break
        for name, args in self.filters:
            value = _filtered(value, name, args, scope.terms)
        return value

    def __str__(self) -> str:
        return " ?? ".join(each.name for each in self.operands)


def _filtered(value: Value, name: str, args: Sequence[str], terms: Terms) -> Value:
    if value is None or value == "":
        return None
    if isinstance(value, list):
        return [str(each) for item in value if (each := FILTERS[name].apply(item, args, terms)) is not None]
    return FILTERS[name].apply(str(value), args, terms)


@dataclass(frozen=True, slots=True)
class Template:
    """A text of a mapping, taken apart; `source` is how it was written."""

    source: str
    parts: Sequence[str | Placeholder]

    @property
    def placeholders(self) -> Iterator[Placeholder]:
        """Those of its parts that depend on the row."""
        return (part for part in self.parts if isinstance(part, Placeholder))

    @property
    def operands(self) -> Iterator[Operand]:
        """Everything that it reads."""
        return (operand for placeholder in self.placeholders for operand in placeholder.operands)

    @property
    def tables(self) -> Iterator[str]:
        """The value tables that it uses."""
        return (args[0] for placeholder in self.placeholders for name, args in placeholder.filters if name in TABLE_FILTERS)

    def value(self, scope: Scope) -> Value:
        """The value for a row: of any kind when the template is one placeholder, else text; None when all placeholders are empty.

        Raises RowRefused with the template in its message.
        """
        try:
            if len(self.parts) == 1 and isinstance(self.parts[0], Placeholder):
                value = self.parts[0].value(scope)
                return None if value in ("", []) else value
            values = [part if isinstance(part, str) else part.value(scope) for part in self.parts]
        except RowRefused as error:
            raise RowRefused(error.code, f"{error.message}, in {self.source}") from None
        filled = [value for value, part in zip(values, self.parts, strict=True) if isinstance(part, Placeholder) and value is not None]
        if not filled and any(isinstance(part, Placeholder) for part in self.parts):
            return None
        return "".join(_text(value) for value in values).strip() or None

    def text(self, scope: Scope) -> str | None:
        """The value as text. Raises RowRefused."""
        value = self.value(scope)
        return None if value is None else _text(value)

    def key(self, scope: Scope) -> str | None:
        """The value as text that identifies something: nothing if all of it is empty, refused if only a part is."""
        text = self.text(scope)
        if text is None or len(self.parts) == 1:
            return text
        empty = [str(each) for each in self.placeholders if each.value(scope) is None]
        if empty:
            raise RowRefused("key.incomplete", f"{', '.join(empty)} is empty, so {self.source} identifies nothing")
        return text


def _text(value: Value) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_OPERAND: Final = re.compile(
    r"\s*(?:'(?P<literal>[^']*)'|`(?P<quoted>[^`]+)`(?P<maybe>\?(?!\?))?|(?P<bare>[^\s'`|{}][^'`|{}]*?))\s*(?=\?\?|\||$)"
)
_FILTER: Final = re.compile(r"\s*(?P<name>[a-z_]+)\s*(?:\((?P<args>(?:\s*'[^']*'\s*,?)*)\))?\s*(?=\||$)")
_PIECES: Final = re.compile(r"\{\{|\}\}|\{(?P<inside>(?:[^{}'`]|'[^']*'|`[^`]*`)*)\}|(?P<stray>[{}])")


def parse_template(text: str) -> Template:
    """Take a mapping's text apart; `{{` and `}}` stand for braces. Raises ValueError saying what is wrong and where."""
    parts: list[str | Placeholder] = []
    at = 0
    for piece in _PIECES.finditer(text):
        parts.append(text[at : piece.start()])
        at = piece.end()
        if piece["stray"]:
            raise ValueError(f"“{text}”: the brace at character {piece.start() + 1} has no partner; write {{{{ or }}}} for a brace itself")
        parts.append(piece[0][0] if piece["inside"] is None else _placeholder(piece["inside"], text))
    parts.append(text[at:])
    return Template(text, _joined(parts))


def _joined(parts: Sequence[str | Placeholder]) -> tuple[str | Placeholder, ...]:
    joined: list[str | Placeholder] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _placeholder(inside: str, whole: str) -> Placeholder:
    operands: list[Operand] = []
    at = 0
    while not operands or inside.startswith("??", at):
        at += 2 if operands else 0
        found = _OPERAND.match(inside, at)
        if found is None:
            raise ValueError(f"“{whole}”: after “{{{inside[:at]}” comes a column, @name, $constant or 'text', not “{inside[at:]}”")
        operands.append(_operand(found))
        at = found.end()
    filters: list[tuple[str, Sequence[str]]] = []
    while at < len(inside):
        found = _FILTER.match(inside, at + 1)
        if found is None:
            raise ValueError(f"“{whole}”: after “|” comes a filter such as lower or values('table'), not “{inside[at + 1 :].strip()}”")
        filters.append(_filter(found, whole))
        at = found.end()
    return Placeholder(tuple(operands), tuple(filters))


def _operand(found: re.Match[str]) -> Operand:
    if found["literal"] is not None:
        return Operand("literal", found["literal"])
    if found["quoted"] is not None:
        return Operand("column", found["quoted"], optional=bool(found["maybe"]))
    name: str = found["bare"]
    if name[0] in "@$":
        return Operand("own" if name[0] == "@" else "constant", name[1:])
    return Operand("column", name.removesuffix("?").rstrip(), optional=name.endswith("?"))


def _filter(found: re.Match[str], whole: str) -> tuple[str, Sequence[str]]:
    name, args = found["name"], tuple(re.findall(r"'([^']*)'", found["args"] or ""))
    if name not in FILTERS:
        raise ValueError(f"“{whole}”: there is no filter “{name}”; {suggestion(name, FILTERS)}")
    check_arguments(name, args)
    return name, args
