"""Custom fields: values of the company's own, kept as one canonical text per kind."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

from domain.errors import RuleViolation

FieldKind = Literal["text", "number", "yes_no", "date"]
MOST_DIGITS = 30
_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}


@dataclass(frozen=True, slots=True)
class CustomField:
    """What is known of a field that has a value; `value` is None when the value is personal."""

    kind: str
    value: str | None


def canonical(kind: str, text: str) -> str:
    """The one spelling of a value: plain decimal, `yes`/`no`, YYYY-MM-DD. Raises RuleViolation `custom_field.value` or `.kind`."""
    match kind:
        case "text":
            return text
        case "number":
            return _number(text)
        case "yes_no":
            if text.lower() not in _YES_NO:
                raise RuleViolation("custom_field.value", "a yes_no field is `yes` or `no`")
            return _YES_NO[text.lower()]
        case "date":
            return _date(text)
        case _:
            raise RuleViolation("custom_field.kind", f"a custom field is text, number, yes_no or date, not {kind}")


def _number(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise RuleViolation("custom_field.value", "a number field is a plain decimal such as 1204.50") from error
    if not number.is_finite() or max(len(number.as_tuple().digits), abs(number.adjusted())) > MOST_DIGITS:
        raise RuleViolation("custom_field.value", f"a number field has at most {MOST_DIGITS} digits")
    return format(number, "f")


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise RuleViolation("custom_field.value", "a date field is a day such as 2026-03-01") from error
