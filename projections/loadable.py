"""Rows of DuckDB as the lookup databases store them, ready to be loaded from Arrow."""

from projections.sql import CANONICAL_TIME, quoted
from readmodels.layout import Kind, Layout


def loadable(layout: Layout, relation: str, dialect: str) -> str:
    """SELECT the columns of `layout` from native `relation` as the tables of `dialect` (sqlite or postgresql) hold them."""
    cell = _postgres if dialect == "postgresql" else _sqlite
    columns = [f"{cell(quoted(column.name), column.kind)} AS {quoted(column.name)}" for column in layout.columns]
    return f"SELECT {', '.join(columns)} FROM {relation}"


def _sqlite(name: str, kind: Kind) -> str:
    """Canonical cells, but several texts as the JSON that a live writer makes of them."""
    match kind:
        case Kind.INSTANT:
            return f"strftime({name}, {CANONICAL_TIME})"
        case Kind.DATE:
            return f"{name}::VARCHAR"
        case _:
            return _either(name, kind)


def _postgres(name: str, kind: Kind) -> str:
    """Native times and days; JSON in binary is its text after a byte for the version, which is 1."""
    return f"chr(1) || {_either(name, kind)}" if kind is Kind.TEXTS else _either(name, kind)


def _either(name: str, kind: Kind) -> str:
    match kind:
        case Kind.ID:
            return f"{name}::VARCHAR"
        case Kind.DECIMAL:
            return f"({name}::DECIMAL(24,4) * 10000)::BIGINT"
        case Kind.TEXTS:
            return f"CASE WHEN len({name}) = 0 THEN '[]' ELSE {_json(name)} END"
        case _:
            return name


def _json(name: str) -> str:
    """A list of texts as JSON, letter for letter as the live writer has it: rare control characters in small hexadecimal.

    DuckDB writes them in capitals. Where they may be, the pairs of an escaped backslash are set aside while letters change.
    """
    text = f"to_json({name})::VARCHAR"
    small = f"replace({text}, '\\\\', chr(1))"
    for code in (0x0B, 0x0E, 0x0F, *range(0x1A, 0x20)):
        small = f"replace({small}, '\\u{code:04X}', '\\u{code:04x}')"
    return f"CASE WHEN contains({text}, '\\u00') THEN replace({small}, chr(1), '\\\\') ELSE {text} END"
