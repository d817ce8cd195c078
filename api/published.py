"""How commands' fields look in the OpenAPI document: no wider than what is accepted, so that a valid message is never refused for its shape."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from commands import normalise

NOT_BLANK: Final = r"(?=[\s\S]*\S)"
LOCAL: Final = r"[A-Za-z0-9_%+-]{1,20}(\.[A-Za-z0-9_%+-]{1,20}){0,2}"
LABEL: Final = r"[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20}){0,2}"
RESERVED: Final = r"(?!.*\.(arpa|invalid|local|localhost|onion|test)$)"
FORMATS: Final[Mapping[Callable[[str], str], Mapping[str, str]]] = {
    normalise.email: {"format": "email", "pattern": rf"^{RESERVED}{LOCAL}@({LABEL}\.){{1,4}}[a-z]{{2,20}}$"},
    normalise.website: {"pattern": rf"^([Hh][Tt][Tt][Pp][Ss]?://)?{LABEL}(\.{LABEL}){{1,4}}([/?#][!-~]*)?$"},
}
"""What a check beyond the schema means for the spelling of a text."""


class Published(GenerateJsonSchema):
    """Says what pydantic leaves out: blank texts, the digits of decimals, the years of dates, the spelling of addresses."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Texts are stripped, so one that must not be empty must not be blank either."""
        described = super().str_schema(schema)
        if schema.get("min_length", 0) > 0:
            pattern: str = described.get("pattern", "^")
            described["pattern"] = "^" + NOT_BLANK + pattern.removeprefix("^")
        return described

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Exact numbers travel as text (`"12.50"`) or as whole numbers, never as binary fractions."""
        places, largest = schema.get("decimal_places", 0), schema.get("le", Decimal(10) ** schema.get("max_digits", 18))
        digits = len(str(int(largest))) - 1
        minimum = schema.get("ge", schema.get("gt", -largest))
        sign = "-?" if minimum < 0 else ""
        nonzero = "(?=.*[1-9])" if schema.get("gt") == 0 else ""
        fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        whole: dict[str, Any] = {"type": "integer", "minimum": int(minimum) + ("gt" in schema), "maximum": int(largest)}
        text = {"type": "string", "pattern": f"^{nonzero}{sign}[0-9]{{1,{digits}}}{fraction}$", "examples": ["12.50" if places else "12"]}
        return {"anyOf": [text, whole]}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        """Dates between two years."""
        described = super().date_schema(schema)
        first, last = schema.get("ge"), schema.get("le")
        if isinstance(first, date) and isinstance(last, date):
            centuries = "|".join(f"{century:02}" for century in range(first.year // 100, last.year // 100))
            described["pattern"] = rf"^({centuries})\d\d-\d\d-\d\d$"
            described["description"] = f"from {first} to {last}"
        return described

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """Moments from a year on."""
        described = super().datetime_schema(schema)
        first = schema.get("ge")
        if isinstance(first, datetime):
            described["pattern"] = rf"^({first.year // 100}|[{first.year // 1000 + 1}-9]\d)\d\d-"
            described["description"] = f"not before {first.date()}"
        return described

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        """Addresses, as far as a schema can say how they are spelled."""
        described = super().function_after_schema(schema)
        return {**described, **FORMATS.get(cast("Callable[[str], str]", schema["function"]["function"]), {})}
