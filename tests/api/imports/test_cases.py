import csv
from pathlib import Path

from tests.api.imports.importing import Books, toml, write

REQUESTS = """
name = "log"
[files.log]
pattern = ["log.csv", "log.xes"]
format = "csv"

[[setup]]
command = "register_customer"
occurred_at = "2010-01-01"
data = { customer_id = { ref = "unknown" }, name = "Unknown" }

[[cases]]
file = "log"
case = "{Case ID}"
activity = "{Activity}"
time = "{Complete Timestamp | datetime('%Y/%m/%d %H:%M:%S.%f', '%Y/%m/%d %H:%M:%S')}"
resource = "{Resource?}"
lifecycle = "{lifecycle:transition?}"

[[cases.opening]]
command = "open_request"
data.request_id = { ref = "{@case}" }
data.customer_id = { ref = "unknown" }
data.subject = "Case {@case}, {@events} events until {@last_time}"
data.channel = "{channel? ?? 'log'}"

[[cases.activities]]
matches = "^A_"
lifecycle = ["schedule", "start"]
commands = []

[[cases.activities]]
name = ["W_Close", "A_Close"]
when = { column = "Result", filled = true }
[[cases.activities.commands]]
command = "close_request"
data = { request_id = { ref = "{@case}" }, result = "{Result}", activity = "{@activity}", by = "{@resource | slug}" }

[[cases.otherwise]]
command = "note_request_activity"
data = { request_id = { ref = "{@case}" }, activity = "{@activity}", by = "{@resource | slug}" }
"""
LOG = """
Case ID,Activity,Complete Timestamp,Resource,lifecycle:transition,Result
2,A_Submit,2012/02/01 10:00:00.000,User 1,COMPLETE,
1,W_Close,2012/01/03 10:00:00,User 2,complete,done
1,A_Submit,2012/01/01 10:00:00.5,,START,
1,A_Submit,2012/01/01 12:00:00,User 1,COMPLETE,
2,W_Ask,2012/02/02 10:00:00,User 3,,
2,W_Ask,2012/02/02 10:00:00,User 3,,
2,W_Close,2012/02/03 10:00:00,User 3,complete,
"""


def notes(books: Books) -> list[tuple[str, str, str | None]]:
    return [(each.occurred_at[:16], each.data["activity"], each.data["by"]) for each in books.of_type("request.activity_noted")]


def test_a_csv_event_log_is_put_in_order_case_by_case(books: Books, tmp_path: Path) -> None:
    summary = books.run(write(tmp_path / "m.toml", REQUESTS), write(tmp_path / "log.csv", LOG))
    assert notes(books) == [
        ("2012-01-01T12:00", "A_Submit", "user-1"),
        ("2012-02-01T10:00", "A_Submit", "user-1"),
        ("2012-02-02T10:00", "W_Ask", "user-3"),
        ("2012-02-02T10:00", "W_Ask", "user-3"),
        ("2012-02-03T10:00", "W_Close", "user-3"),
    ]
    (closed,) = books.of_type("request.closed")
    assert (closed.data["result"], closed.data["gross_seconds"]) == ("done", 172_799)
    opened = books.of_type("request.opened")
    assert [each.occurred_at for each in opened] == ["2012-01-01T10:00:00.500000Z", "2012-02-01T10:00:00.000000Z"]
    assert books.plain(opened[0].data["subject"]) == "Case 1, 3 events until 2012-01-03T10:00:00.000000Z"
    assert (summary.rows, summary.refused) == (7, 0)


def test_a_longer_export_of_the_same_log_goes_on_where_the_first_ended(books: Books, tmp_path: Path) -> None:
    mapping = write(tmp_path / "m.toml", REQUESTS.replace(", {@events} events until {@last_time}", ""))
    first = books.run(mapping, write(tmp_path / "log.csv", LOG))
    longer = LOG + "2,W_Ask,2012/02/02 10:00:00,User 3,,\n2,W_Late,2012/02/09 10:00:00,User 3,,\n3,W_Ask,2012/02/09 10:00:00,,,\n"
    second = books.run(mapping, write(tmp_path / "log.csv", longer))
    assert (second.accepted, second.repeated, second.refused) == (4, first.accepted, 0)


def test_columns_that_a_mapping_calls_optional_may_be_missing(books: Books, tmp_path: Path) -> None:
    log = "Case ID,Activity,Complete Timestamp\n1,Ask,2012/01/01 10:00:00\n"
    assert (
        books.run(
            write(tmp_path / "m.toml", REQUESTS.replace("{Result}", "{Result?}").replace('"Result"', '"Result?"')),
            write(tmp_path / "log.csv", log),
        ).refused
        == 0
    )
    assert notes(books) == [("2012-01-01T10:00", "Ask", None)]


def test_events_without_case_activity_or_time_are_refused_alone(books: Books, tmp_path: Path) -> None:
    log = LOG + ",W_Ask,2012/02/02 10:00:00,,,\n1,,2012/02/02 10:00:00,,,\n1,W_Ask,,,,\n1,W_Ask,yesterday,,,\n"
    summary = books.run(write(tmp_path / "m.toml", REQUESTS), write(tmp_path / "log.csv", log))
    assert summary.refused_codes == {"case.empty": 1, "activity.empty": 1, "time.missing": 1, "value.not_a_time": 1}
    assert len(books.of_type("request.opened")) == 2


def test_an_activity_that_nothing_takes_is_refused_where_there_is_no_otherwise(books: Books, tmp_path: Path) -> None:
    mapping = REQUESTS.partition("[[cases.otherwise]]")[0]
    summary = books.run(write(tmp_path / "m.toml", mapping), write(tmp_path / "log.csv", LOG), refused=tmp_path / "refused.csv")
    assert summary.refused_codes == {"activity.not_mapped": 5}
    assert "no entry of `activities` takes “W_Ask” (complete)" in (tmp_path / "refused.csv").read_text()


def test_a_case_can_be_taken_whole_or_not_at_all(books: Books, tmp_path: Path) -> None:
    mapping = REQUESTS.replace('case = "{Case ID}"', 'case = "{Case ID}"\ntogether = "case"').replace(
        'by = "{@resource | slug}"', 'by = "{@resource}"'
    )
    log = LOG.replace("User 2", "U" * 150)
    summary = books.run(write(tmp_path / "m.toml", mapping), write(tmp_path / "log.csv", log), refused=tmp_path / "refused.csv")
    assert [each.data["external_id"] for each in books.of_type("request.opened")] == ["2"]
    assert summary.refused_codes == {"command.invalid": 1}
    with (tmp_path / "refused.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["command"] == "close_request"


def test_events_of_all_cases_can_be_put_in_order_of_time(books: Books, tmp_path: Path) -> None:
    mapping = REQUESTS.replace('case = "{Case ID}"', 'case = "{Case ID}"\norder = "time"')
    log = LOG + "1,W_Late,2012/02/02 10:00:00,,,\n"
    books.run(write(tmp_path / "m.toml", mapping), write(tmp_path / "log.csv", log))
    times = [event.occurred_at for event in books.events()]
    assert times == sorted(times)


def test_a_row_with_several_times_makes_an_event_of_each_that_is_filled(books: Books, tmp_path: Path) -> None:
    mapping = toml("""
        name = "wide"
        [files.orders]
        pattern = "orders.csv"
        [[setup]]
        command = "register_customer"
        occurred_at = "2010-01-01"
        data = { customer_id = { ref = "unknown" }, name = "Unknown" }
        [[cases]]
        file = "orders"
        case = "{order}"
        resource = "{clerk}"
        wide = [
            { activity = "Placed", time = "{placed}" },
            { activity = "Paid", time = "{paid}" },
            { activity = "Shipped", time = "{shipped}" },
        ]
        [[cases.opening]]
        command = "open_request"
        data = { request_id = { ref = "{@case}" }, customer_id = { ref = "unknown" }, subject = "Order {@case}", channel = "shop" }
        [[cases.activities]]
        name = "Shipped"
        [[cases.activities.commands]]
        command = "resolve_request"
        data = { request_id = { ref = "{@case}" }, result = "shipped", by = "{@resource}" }
        [[cases.otherwise]]
        command = "note_request_activity"
        data = { request_id = { ref = "{@case}" }, activity = "{@activity}" }
        [[cases.ending]]
        command = "close_request"
        when = { value = "{@activity}", equals = "Shipped" }
        data = { request_id = { ref = "{@case}" } }
    """)
    orders = "order,clerk,placed,paid,shipped\nx,ann,2020-01-02,,2020-01-01\ny,ann,2020-01-01,2020-01-01,2020-01-05\nz,ann,,,\n"
    summary = books.run(write(tmp_path / "m.toml", mapping), write(tmp_path / "orders.csv", orders))
    assert [(each[0][:10], each[1]) for each in notes(books)] == [
        ("2020-01-02", "Placed"),
        ("2020-01-01", "Placed"),
        ("2020-01-01", "Paid"),
    ]
    assert [each.data["external_id"] for each in books.of_type("request.opened")] == ["x", "y"]
    assert [each.occurred_at[:10] for each in books.of_type("request.closed")] == ["2020-01-05"]
    assert (summary.passed_over, summary.refused) == (1, 0)


def test_an_event_may_have_an_id_of_its_own(books: Books, tmp_path: Path) -> None:
    mapping = REQUESTS.replace('case = "{Case ID}"', 'case = "{Case ID}"\nid = "{@row}"')
    books.run(write(tmp_path / "m.toml", mapping), write(tmp_path / "log.csv", LOG))
    assert "import:log:log:2/5:note_request_activity" in {event.command_id for event in books.events()}


def test_xes_needs_no_columns_named(books: Books, tmp_path: Path) -> None:
    mapping = toml("""
        name = "xes"
        [files.log]
        pattern = "*.xes"
        [[setup]]
        command = "register_customer"
        occurred_at = "2010-01-01"
        data = { customer_id = { ref = "unknown" }, name = "Unknown" }
        [[cases]]
        file = "log"
        [[cases.opening]]
        command = "open_request"
        data.request_id = { ref = "{@case}" }
        data.customer_id = { ref = "unknown" }
        data.subject = "{case:kind?} {@case}"
        data.channel = "log"
        [[cases.otherwise]]
        command = "note_request_activity"
        data = { request_id = { ref = "{@case}" }, activity = "{@activity}+{@lifecycle}" }
    """)
    event = '<event><string key="concept:name" value="{}"/><date key="time:timestamp" value="2020-01-0{}T10:00:00Z"/>{}</event>'
    start = '<string key="lifecycle:transition" value="START"/>'
    log = f'<log><trace><string key="concept:name" value="A"/>{event.format("Work", 2, "")}{event.format("Work", 1, start)}</trace></log>'
    assert books.run(write(tmp_path / "m.toml", mapping), write(tmp_path / "any.xes", log.encode())).refused == 0
    assert [each[1] for each in notes(books)] == ["Work+start", "Work+complete"]
