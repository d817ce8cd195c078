"""What a mapping can do with a value on its way from a cell to a command: `{column | filter('argument') | …}`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from api.imports.errors import RowRefused
from api.imports.times import Clock, written

Scalar = str | int | bool
Value = Scalar | list[str] | None
YES = frozenset({"true", "t", "yes", "y", "1", "on"})
NO = frozenset({"false", "f", "no", "n", "0", "off"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a mapping says once for all its rows: value tables, constants, and how times are written."""

    clock: Clock
    tables: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict[str, Mapping[str, Scalar]])
    constants: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Filter:
    """A function of text, its arguments and the mapping's terms; `fewest` and `most` arguments are taken (None: any number)."""

    apply: Callable[[str, Sequence[str], Terms], Value]
    fewest: int = 0
    most: int | None = 0


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise RowRefused("value.not_a_number", f"“{text}” is not a number")
    return number


def _plain(number: Decimal) -> str:
    return format(number, "f")


def decimal(text: str, args: Sequence[str], _: Terms) -> Value:
    """Plain decimal text. The argument is the decimal sign (`.` without one); the other sign, blanks and ' part thousands."""
    sign = args[0] if args else "."
    thousands = r"[\s'_,]" if sign == "." else r"[\s'_.]"
    return _plain(_number(re.sub(thousands, "", text).replace(sign, ".")))


def whole(text: str, _args: Sequence[str], _: Terms) -> Value:
    """A whole number; `3.0` is 3, `3.5` is refused."""
    number = _number(text)
    if number != number.to_integral_value():
        raise RowRefused("value.not_whole", f"“{text}” is not a whole number")
    return int(number)


def yes_no(text: str, _args: Sequence[str], _: Terms) -> Value:
    """True or false from the usual words."""
    word = text.lower()
    if word not in YES | NO:
        raise RowRefused("value.not_yes_or_no", f"“{text}” is neither yes nor no")
    return word in YES


def instant(text: str, args: Sequence[str], terms: Terms) -> Value:
    """The moment in UTC; the arguments are formats to try instead of the mapping's."""
    try:
        return written(terms.clock.instant(text, args))
    except (ValueError, OverflowError) as error:
        raise RowRefused("value.not_a_time", str(error)) from None


def day(text: str, args: Sequence[str], terms: Terms) -> Value:
    """The day as written; the arguments are formats to try instead of the mapping's."""
    try:
        return terms.clock.day(text, args).isoformat()
    except (ValueError, OverflowError) as error:
        raise RowRefused("value.not_a_day", str(error)) from None


def listed(text: str, args: Sequence[str], terms: Terms) -> Value:
    """What the value table says; what it does not list stays as it is."""
    return terms.tables[args[0]].get(text, text)


def only(text: str, args: Sequence[str], terms: Terms) -> Value:
    """What the value table says; what it does not list is refused."""
    table = terms.tables[args[0]]
    if text not in table:
        raise RowRefused("value.not_listed", f"“{text}” is not in the value table “{args[0]}”; add it there")
    return table[text]


def slug(text: str, args: Sequence[str], _: Terms) -> Value:
    """Small letters and digits, everything else as the argument (`-` without one)."""
    return re.sub(r"[\W_]+", "\n", text.lower()).strip("\n").replace("\n", args[0] if args else "-")


def part(text: str, args: Sequence[str], _: Terms) -> Value:
    """The n-th piece between separators, from 1; negative counts from the end; nothing when there are fewer."""
    pieces, at = text.split(args[0]), int(args[1])
    return pieces[at - 1 if at > 0 else at].strip() if 0 < abs(at) <= len(pieces) else None


def extract(text: str, args: Sequence[str], _: Terms) -> Value:
    """What the regular expression's first group (or the whole of it) finds, or nothing."""
    found = re.search(args[0], text)
    return found.group(1 if found.re.groups else 0) if found else None


FILTERS: Mapping[str, Filter] = {
    "strip": Filter(lambda text, _args, _terms: text.strip()),
    "lower": Filter(lambda text, _args, _terms: text.lower()),
    "upper": Filter(lambda text, _args, _terms: text.upper()),
    "squeeze": Filter(lambda text, _args, _terms: " ".join(text.split())),
    "slug": Filter(slug, most=1),
    "replace": Filter(lambda text, args, _terms: text.replace(args[0], args[1]), fewest=2, most=2),
    "truncate": Filter(lambda text, args, _terms: text[: int(args[0])], fewest=1, most=1),
    "split": Filter(lambda text, args, _terms: [piece for each in text.split(args[0]) if (piece := each.strip())], fewest=1, most=1),
    "part": Filter(part, fewest=2, most=2),
    "extract": Filter(extract, fewest=1, most=1),
    "int": Filter(whole),
    "decimal": Filter(decimal, most=1),
    "times": Filter(lambda text, args, _terms: _plain((_number(text) * Decimal(args[0])).normalize()), fewest=1, most=1),
    "bool": Filter(yes_no),
    "date": Filter(day, most=None),
    "datetime": Filter(instant, most=None),
    "values": Filter(listed, fewest=1, most=1),
    "only": Filter(only, fewest=1, most=1),
}
TABLE_FILTERS = frozenset({"values", "only"})
NUMBER_ARGUMENTS = {"truncate": 0, "part": 1, "times": 0}
"""Which argument must be a number."""


def check_arguments(name: str, args: Sequence[str]) -> None:
    """Refuse arguments that can never work. Raises ValueError."""
    made = FILTERS[name]
    if len(args) < made.fewest or (made.most is not None and len(args) > made.most):
        wanted = str(made.fewest) if made.most == made.fewest else f"{made.fewest} to {'any number of' if made.most is None else made.most}"
        raise ValueError(f"filter “{name}” takes {wanted} arguments, not {len(args)}")
    if name in NUMBER_ARGUMENTS:
        try:
            (Decimal if name == "times" else int)(args[NUMBER_ARGUMENTS[name]])
        except (ValueError, InvalidOperation):
            raise ValueError(f"filter “{name}” needs a number, not “{args[NUMBER_ARGUMENTS[name]]}”") from None
    if name == "extract":
        try:
            re.compile(args[0])
        except re.error as error:
            raise ValueError(f"filter “extract”: “{args[0]}” is not a regular expression: {error}") from None
