import re
from zoneinfo import ZoneInfo

import pytest

from api.imports.errors import RowRefused
from api.imports.expressions import Scope, parse_template
from api.imports.filters import Terms, Value
from api.imports.times import Clock

ROW = {
    "name": "Moses Frase",
    "case:concept:name": "Case 1",
    "Case ID": "7",
    "when": "2018.02.26 9:58",
    "amount": "1.234,50",
    "tags": "a; B ;;c",
    "stage": "Wno",
    "pct": "0.25",
    "a|b": "pipe",
}
TERMS = Terms(Clock(ZoneInfo("America/Sao_Paulo")), {"stages": {"Wno": "Won", "old": 3}}, {"first_day": "2016-10-20"})


def value(text: str, row: dict[str, str] | None = None) -> Value:
    return parse_template(text).value(Scope({**ROW, **(row or {})}, {"row": "12"}, TERMS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{name}", "Moses Frase"),
        ("{ name }", "Moses Frase"),
        ("{case:concept:name}", "Case 1"),
        ("no. {Case ID} of {name}", "no. 7 of Moses Frase"),
        ("{missing ?? name}", "Moses Frase"),
        ("{missing? ?? 'nobody'}", "nobody"),
        ("{missing ?? $first_day}", "2016-10-20"),
        ("{@row | int}", 12),
        ("{`a|b`}", "pipe"),
        ("{{name}}", "{name}"),
        ("a constant", "a constant"),
        ("{missing}", None),
        ("only {missing}", None),
        ("{name} of {missing}", "Moses Frase of"),
        ("{name | slug('.')}", "moses.frase"),
        ("{name | upper | part(' ', '2')}", "FRASE"),
        ("{name | part(' ', '-1')}", "Frase"),
        ("{name | part(' ', '3')}", None),
        ("{name | truncate('5')}", "Moses"),
        ("{name | replace('Moses', 'M.')}", "M. Frase"),
        ("{name | extract('^(\\w+)')}", "Moses"),
        ("{name | extract('nobody')}", None),
        ("{tags | split(';') | lower}", ["a", "b", "c"]),
        ("{stage | values('stages')}", "Won"),
        ("{name | values('stages')}", "Moses Frase"),
        ("{stage | only('stages')}", "Won"),
        ("{amount | decimal(',')}", "1234.50"),
        ("{pct | times('100') | int}", 25),
        ("{'yes' | bool}", True),
        ("{'N' | bool}", False),
        ("{'3.0' | int}", 3),
        ("{when | datetime('%Y.%m.%d %H:%M')}", "2018-02-26T12:58:00.000000Z"),
        ("{when | date('%Y.%m.%d %H:%M')}", "2018-02-26"),
        ("{'2010-01-13T08:40:25.000+02:00' | datetime}", "2010-01-13T06:40:25.000000Z"),
        ("{'1500000000' | datetime('epoch')}", "2017-07-14T02:40:00.000000Z"),
        ("{'1500000000123' | datetime('epoch_ms')}", "2017-07-14T02:40:00.123000Z"),
        ("{missing | int}", None),
    ],
)
def test_a_template_says_a_value(text: str, expected: Value) -> None:
    assert value(text) == expected


def test_a_local_time_that_summer_time_repeats_is_its_first_and_one_that_it_skips_is_taken_as_before_the_change() -> None:
    assert value("{'2018-02-17 23:30' | datetime}") == "2018-02-18T01:30:00.000000Z"
    assert value("{'2017-10-15 00:00' | datetime}") == "2017-10-15T03:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{name | int}", "value.not_a_number"),
        ("{'1e999999' | decimal}", "value.not_a_number"),
        ("{'NaN' | decimal}", "value.not_a_number"),
        ("{'3.5' | int}", "value.not_whole"),
        ("{name | bool}", "value.not_yes_or_no"),
        ("{name | datetime}", "value.not_a_time"),
        ("{when | date}", "value.not_a_day"),
        ("{name | only('stages')}", "value.not_listed"),
    ],
)
def test_a_value_that_cannot_be_read_refuses_the_row_and_names_the_template(text: str, code: str) -> None:
    with pytest.raises(RowRefused) as refused:
        value(text)
    assert refused.value.code == code
    assert text in refused.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{name", "the brace at character 1 has no partner"),
        ("name}", "the brace at character 5 has no partner"),
        ("{}", "comes a column"),
        ("{name ?? }", "comes a column"),
        ("{name |}", "comes a filter"),
        ("{name | lowr}", "did you mean “lower”?"),
        ("{name | values(stages)}", "comes a filter"),
        ("{name | replace('a')}", "takes 2 arguments, not 1"),
        ("{name | truncate('x')}", "needs a number"),
        ("{name | extract('(')}", "not a regular expression"),
    ],
)
def test_a_template_that_cannot_be_read_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_template(text)


def test_a_key_is_whole_or_nothing() -> None:
    scope = Scope({"a": "1"}, {}, TERMS)
    assert parse_template("{b}-{c}").key(scope) is None
    assert parse_template("{a}").key(scope) == "1"
    with pytest.raises(RowRefused, match="b is empty"):
        parse_template("{a}-{b}").key(scope)
