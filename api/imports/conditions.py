"""When a command is wanted: conditions on the values of a row."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from api.imports.expressions import Scope, Template, parse_template
from api.imports.filters import Scalar


def _template(value: Any) -> Any:
    if isinstance(value, Template):
        return value
    if not isinstance(value, str):
        raise ValueError('write a text such as "{column}"')  # noqa: TRY004 - pydantic collects ValueError
    return parse_template(value)


TemplateText = Annotated[Template, BeforeValidator(_template)]
"""A text with values in it, parsed when the mapping is read."""


def as_list(value: Any) -> Any:
    """One thing where a list of things may stand."""
    return cast("Any", value) if isinstance(value, list | tuple) else [value]


def regular(pattern: str | None) -> str | None:
    """The pattern, if it is a regular expression. Raises ValueError."""
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise ValueError(f"“{pattern}” is not a regular expression: {error}") from None
    return pattern


class Part(BaseModel):
    """A table of a mapping: unknown keys are refused, nothing changes once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Condition(Part):
    """A test of one value, or of other conditions. All keys that are given must hold."""

    column: str | None = Field(None, description="the column to test")
    value: TemplateText | None = Field(None, description='or a text such as "{column | lower}"')
    filled: bool | None = Field(None, description="whether it must be filled (true) or empty (false)")
    equals: Scalar | None = None
    among: tuple[Scalar, ...] | None = Field(None, alias="in", description="the values it may have")
    matches: str | None = Field(None, description="a regular expression that must be found in it")
    any: "Annotated[tuple[Condition, ...] | None, BeforeValidator(lambda value: value and as_list(value))]" = None
    none: "Annotated[tuple[Condition, ...] | None, BeforeValidator(lambda value: value and as_list(value))]" = None

    _regular = field_validator("matches")(regular)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        tested = self.column is not None or self.value is not None
        tests = (self.filled, self.equals, self.among, self.matches)
        if self.column is not None and self.value is not None:
            raise ValueError("give either `column` or `value`")
        if tested and all(test is None for test in tests):
            raise ValueError("say what must hold: `filled`, `equals`, `in` or `matches`")
        if not tested and any(test is not None for test in tests):
            raise ValueError("say what is tested: `column` or `value`")
        if not tested and self.any is None and self.none is None:
            raise ValueError("a condition tests a `column` or `value`, or combines conditions with `any` or `none`")
        return self

    @cached_property
    def subject(self) -> Template | None:
        """What is tested."""
        if self.column is None:
            return self.value
        optional = "?" if self.column.endswith("?") else ""
        return parse_template(f"{{`{self.column.removesuffix('?')}`{optional}}}")

    @property
    def templates(self) -> Iterator[Template]:
        """Every template that it reads."""
        if self.subject is not None:
            yield self.subject
        for inner in (*(self.any or ()), *(self.none or ())):
            yield from inner.templates

    def holds(self, scope: Scope) -> bool:
        """Whether the row meets it. Raises RowRefused where a value cannot be read."""
        if self.any is not None and not any(each.holds(scope) for each in self.any):
            return False
        if self.none is not None and any(each.holds(scope) for each in self.none):
            return False
        return self._tested(scope)

    def _tested(self, scope: Scope) -> bool:
        if self.subject is None:
            return True
        text = self.subject.text(scope)
        return (
            (self.filled is None or self.filled == (text is not None))
            and (self.equals is None or text == _written(self.equals))
            and (self.among is None or text in {_written(each) for each in self.among})
            and (self.matches is None or (text is not None and re.search(self.matches, text) is not None))
        )


def _written(value: Scalar) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


Conditions = Annotated[tuple[Condition, ...], BeforeValidator(as_list)]
"""One condition or a list of them; all must hold."""


def hold(conditions: tuple[Condition, ...], scope: Scope) -> bool:
    """Whether all conditions hold; none of them holds always."""
    return all(each.holds(scope) for each in conditions)
