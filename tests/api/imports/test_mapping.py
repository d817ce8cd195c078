import pytest

from api.imports.errors import InvalidMapping
from api.imports.reading import read_mapping, shipped
from tests.api.imports.importing import mapping, write

GOOD = """
name = "shop"
occurred_at = "2020-01-01"

[files.people]
pattern = "people*.csv"

[[rows]]
file = "people"
id = "{id}"
[[rows.commands]]
command = "register_customer"
data = { customer_id = { ref = "{id}" }, name = "{name}" }
"""


def faults(text: str) -> str:
    with pytest.raises(InvalidMapping) as wrong:
        mapping(text)
    return str(wrong.value)


def test_a_good_mapping_is_read() -> None:
    plan = mapping(GOOD)
    assert plan.record_source == "shop"
    assert plan.files["people"].takes("People_2020.CSV.gz")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('name = "shop"', "", "test.toml: name: this key is missing"),
        ('name = "shop"', 'name = "my shop"', "test.toml: name: "),
        ('name = "shop"', 'name = "shop"\ntimezone = "UTC"', "timezone: there is no such key here"),
        ('name = "shop"', 'name = "shop"\ntime_zone = "Rome"', "time_zone: “Rome” is no time zone; give an IANA name"),
        ('name = "shop"', 'name = "shop', "it is not TOML: "),
        (
            'pattern = "people*.csv"',
            'pattern = "people*.csv"\nencoding = "utf-9"',
            "files.people.encoding: there is no text encoding “utf-9”",
        ),
        ('pattern = "people*.csv"', 'pattern = "people*.csv"\ndelimiter = ";;"', "files.people.delimiter: "),
        ('file = "people"', 'file = "poeple"', "rows[1].file: “poeple” is not defined; did you mean “people”?"),
        ('id = "{id}"', 'id = "{id"', "rows[1].id: “{id”: the brace at character 1 has no partner"),
        ('id = "{id}"', "", "rows[1].id: this key is missing"),
        ('id = "{id}"', 'id = "{id}"\nlookups.x = "{id}"', "rows[1].lookups.x: “x” is not defined"),
        (
            "register_customer",
            "registre_customer",
            "rows[1].commands[1].command: there is no command “registre_customer”; did you mean “register_customer”?",
        ),
        ('name = "{name}"', 'nam = "{name}"', "rows[1].commands[1].data.nam: register_customer has no such field; did you mean “name”?"),
        (', name = "{name}"', "", "rows[1].commands[1].data.name: register_customer needs this field"),
        ('"{name}"', "\"{name | values('x')}\"", "there is no value table [values.x]"),
        ('"{name}"', '"{$nobody}"', "there is no constant “nobody”"),
        ('"{name}"', '"{@case}"', "there is no @case here"),
        ('"{name}"', '"{name | lowr}"', "data: name: “{name | lowr}”: there is no filter “lowr”; did you mean “lower”?"),
        ('ref = "{id}"', 'ref = "{id}", src = "x"', "beside `ref` there may be `source`, but not src"),
        ('occurred_at = "2020-01-01"', "", "rows[1].commands[1].occurred_at: say when it happened"),
        ("[[rows.commands]]", 'order = "time"\n[[rows.commands]]', 'rows[1].occurred_at: `order = "time"` needs to know'),
        ("[[rows.commands]]", 'when = { column = "x" }\n[[rows.commands]]', "say what must hold"),
        ("[[rows.commands]]", "when = { filled = true }\n[[rows.commands]]", "say what is tested"),
        ("[[rows.commands]]", 'when = { column = "x", matches = "(" }\n[[rows.commands]]', "“(” is not a regular expression"),
    ],
)
def test_a_fault_is_named_with_its_table_and_key_and_what_to_do(before: str, after: str, says: str) -> None:
    assert says in faults(GOOD.replace(before, after))


def test_all_faults_are_told_at_once() -> None:
    said = faults(GOOD.replace('"{name}"', '"{$nobody}"').replace('id = "{id}"', 'id = "{@nothing}"'))
    assert "$nobody" in said
    assert "@nothing" in said


def test_two_commands_of_a_row_need_different_steps() -> None:
    twice = GOOD + '[[rows.commands]]\ncommand = "register_customer"\ndata = { name = "x" }\n'
    assert "rows[1].commands[2].step: another command here is called “register_customer” too" in faults(twice)


def test_setup_has_no_row() -> None:
    setup = GOOD.replace("[[rows]]", '[[setup]]\ncommand = "register_customer"\ndata = { name = "{name}" }\n[[rows]]')
    assert "setup commands have no row" in faults(setup)


def test_an_event_log_in_csv_must_say_its_columns() -> None:
    said = faults("""
        name = "log"
        [files.log]
        pattern = "log.csv"
        [[cases]]
        file = "log"
        case = "{Case}"
        otherwise = []
    """)
    assert 'cases[1].activity: say which column has it, such as activity = "{Activity}"' in said
    assert "cases[1].time" in said


def test_the_shipped_mappings_can_be_read() -> None:
    assert {"crm_sales", "helpdesk", "olist_orders"} <= shipped().keys()
    for name in shipped():
        assert read_mapping(name).description


def test_a_mapping_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InvalidMapping, match="crm_sales"):
        read_mapping("nothing")


def test_a_mapping_file_that_is_not_text_is_refused(tmp_path) -> None:  # noqa: ANN001
    with pytest.raises(InvalidMapping, match="not UTF-8"):
        read_mapping(write(tmp_path / "m.toml", b'name = "\xff"'))
