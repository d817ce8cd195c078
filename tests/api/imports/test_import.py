import csv
import gzip
import json
from pathlib import Path

import pytest

from api.imports.errors import ImportRefused, InvalidMapping, UnreadableFile
from api.imports.runner import run_import
from tests.api.imports.importing import ACTOR, Books, toml, write

SHOP = """
name = "shop"
time_zone = "Europe/Rome"

[files.people]
pattern = "people.csv"
[files.calls]
pattern = ["calls*.csv"]
[files.regions]
pattern = "regions.csv"
optional = true

[lookups.person]
file = "people"
key = "{id}"
columns = ["rep", "region"]

[[rows]]
file = "people"
id = "{id}"
occurred_at = "{since}"
[[rows.commands]]
command = "register_customer"
data = { customer_id = { ref = "{id}" }, name = "{name}", kind = "{kind}" }

[[rows]]
file = "calls"
id = "{call}"
occurred_at = "{at}"
lookups.person = { key = "{person}", required = true }
when = { column = "person", filled = true }
[[rows.commands]]
command = "log_interaction"
data.interaction_id = { ref = "{call}" }
data.customer_id = { ref = "{person}" }
data.kind = "call"
data.direction = "inbound"
data.duration_seconds = "{minutes | times('60') | int}"
data.owner_id = "{person.rep | slug('.')}"
data.team = "{person.region}"
[[rows.commands]]
command = "change_customer_lifecycle"
when = [{ column = "won", in = ["yes"] }]
data = { customer_id = { ref = "{person}" }, lifecycle = "active" }
"""
PEOPLE = """
id,name,kind,since,rep,region
1,Ada,person,2020-01-01,Rep One,North
2,Bob,person,2020-03-29 02:30,Rep Two,South
3,Cy,robot,2020-01-01,Rep One,North
"""
CALLS = """
call,person,at,minutes,won
a,1,2020-02-01T09:00:00Z,5,yes
b,1,2020-02-02T09:00:00Z,1.5,
c,9,2020-02-02T09:00:00Z,2,
d,3,2020-02-02T09:00:00Z,2,
e,2,never,2,
f,,2020-02-02T09:00:00Z,2,
g,2,2020-04-01T09:00:00Z,x,
"""


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A mapping and its files."""
    return (
        write(tmp_path / "shop.toml", SHOP),
        write(tmp_path / "people.csv", PEOPLE),
        write(tmp_path / "calls-2020.csv", CALLS),
    )


def test_rows_become_commands_with_looked_up_values_and_their_own_dates(books: Books, shop: tuple[Path, ...]) -> None:
    books.run(*shop)
    first, second = books.of_type("interaction.logged")
    assert first.occurred_at == "2020-02-01T09:00:00.000000Z"
    assert first.data["owner_id"] == "rep.one"
    assert first.data["team"] == "North"
    assert first.data["duration_seconds"] == 300
    assert second.data["duration_seconds"] == 90
    assert (first.actor, first.source) == (ACTOR, "import:shop")
    assert first.command_id == "import:shop:calls:a:log_interaction"
    registered = books.of_type("customer.registered")
    assert registered[0].occurred_at == "2019-12-31T23:00:00.000000Z"
    assert registered[0].data["external_source"] == "shop"


def test_refused_rows_are_written_with_the_reason_and_their_cells(books: Books, shop: tuple[Path, ...], tmp_path: Path) -> None:
    summary = books.run(*shop, refused=tmp_path / "refused.csv")
    with (tmp_path / "refused.csv").open(newline="", encoding="utf-8") as file:
        refused = list(csv.DictReader(file))
    assert [(row["file"], row["row"], row["line"], row["code"]) for row in refused] == [
        ("people.csv", "3", "4", "command.invalid"),
        ("calls-2020.csv", "3", "4", "lookup.not_found"),
        ("calls-2020.csv", "4", "5", "customer.unknown"),
        ("calls-2020.csv", "5", "6", "value.not_a_time"),
        ("calls-2020.csv", "7", "8", "value.not_a_number"),
    ]
    assert refused[0]["command"] == "register_customer"
    assert "kind" in refused[0]["message"]
    assert json.loads(refused[0]["cells"]) == {
        "id": "3",
        "name": "Cy",
        "kind": "robot",
        "since": "2020-01-01",
        "rep": "Rep One",
        "region": "North",
    }
    assert summary.refused == 5
    assert summary.passed_over == 1
    assert summary.exit_code == 1
    assert (tmp_path / "refused.csv").stat().st_mode & 0o777 == 0o600


def test_a_row_is_applied_whole_or_not_at_all(books: Books, shop: tuple[Path, ...]) -> None:
    shop[0].write_text(shop[0].read_text().replace('lifecycle = "active"', 'lifecycle = "asleep"'))
    books.run(*shop)
    assert [event.command_id for event in books.of_type("interaction.logged")] == ["import:shop:calls:b:log_interaction"]


def test_running_twice_adds_nothing(books: Books, shop: tuple[Path, ...]) -> None:
    first = books.run(*shop)
    head = books.log.head()
    second = books.run(*shop)
    assert first.events == head == books.log.head()
    assert (second.events, second.accepted, second.repeated) == (0, 0, first.accepted)
    assert second.refused == first.refused


def test_rows_that_were_mended_are_taken_by_the_next_run(books: Books, shop: tuple[Path, ...]) -> None:
    books.run(*shop)
    shop[1].write_text(PEOPLE.lstrip().replace("robot", "person"))
    summary = books.run(*shop)
    assert (summary.accepted, summary.refused) == (2, 3)


def test_a_row_that_changed_since_is_refused_and_the_log_stays_as_it_is(books: Books, shop: tuple[Path, ...], tmp_path: Path) -> None:
    books.run(*shop)
    head = books.log.head()
    shop[1].write_text(PEOPLE.lstrip().replace("Ada", "Eve"))
    summary = books.run(*shop, refused=tmp_path / "refused.csv")
    assert summary.refused_codes["command.id_reused"] == 1
    assert "imported before, with other values" in (tmp_path / "refused.csv").read_text()
    assert books.log.head() == head


def test_a_dry_run_decides_everything_and_appends_nothing(books: Books, shop: tuple[Path, ...], tmp_path: Path) -> None:
    rehearsed = books.run(*shop, dry_run=True, refused=tmp_path / "dry.csv", chunk=1)
    assert books.log.head() == 0
    real = books.run(*shop, refused=tmp_path / "real.csv")
    assert (rehearsed.accepted, rehearsed.events, rehearsed.refused_codes) == (real.accepted, real.events, real.refused_codes)
    assert (tmp_path / "dry.csv").read_text() == (tmp_path / "real.csv").read_text()
    again = books.run(*shop, dry_run=True)
    assert (again.accepted, again.repeated, again.events) == (0, real.accepted, 0)


def test_progress_is_told_up_to_the_last_row(books: Books, shop: tuple[Path, ...]) -> None:
    told: list[tuple[str, int, int | None]] = []
    books.run(*shop, progress=lambda phase, done, total: told.append((phase, done, total)), chunk=2)
    assert told[0] == ("reading", 10, 10)
    assert told[-1] == ("importing", 10, 10)
    assert [done for phase, done, _ in told if phase == "importing"] == sorted(done for phase, done, _ in told if phase == "importing")


def test_nothing_is_imported_when_a_file_is_damaged_at_its_end(books: Books, shop: tuple[Path, ...]) -> None:
    packed = gzip.compress(CALLS.lstrip().encode())
    shop[2].write_bytes(packed[:-9])
    with pytest.raises(UnreadableFile, match="damaged"):
        books.run(*shop)
    assert books.log.head() == 0


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        (2, "call,person", "call_no,person", r"calls-2020.csv: it has no column “call”, which .* reads; did you mean “call_no”"),
        (1, "since,rep", "since,agent", "people.csv: it has no column “rep”"),
        (0, "{person.rep", "{person.reps", "it has no column “person.reps”.*did you mean “person.rep”"),
    ],
)
def test_a_missing_column_is_told_before_anything_is_imported(
    books: Books, shop: tuple[Path, ...], file: int, before: str, after: str, says: str
) -> None:
    shop[file].write_text(shop[file].read_text().replace(before, after))
    with pytest.raises(UnreadableFile, match=says):
        books.run(*shop)
    assert books.log.head() == 0


def test_files_are_told_by_their_names(books: Books, shop: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"needs more files: calls \(calls\*\.csv\)"):
        books.run(*shop[:2])
    with pytest.raises(ImportRefused, match=r"knows no file of that name; it takes people\.csv"):
        books.run(*shop, write(tmp_path / "else.csv", "a\n1\n"))
    with pytest.raises(UnreadableFile, match="there is no such file"):
        books.run(*shop, tmp_path / "nowhere.csv")
    with pytest.raises(ImportRefused, match="write the refused rows elsewhere"):
        books.run(*shop, refused=shop[1])
    assert books.run(shop[0], tmp_path).files == {"people": 3, "calls": 7, "regions": 0}


def test_a_lookup_key_with_two_meanings_is_refused_unless_the_mapping_chooses(books: Books, shop: tuple[Path, ...]) -> None:
    shop[1].write_text(PEOPLE.lstrip() + "1,Ada,person,2020-01-01,Rep Three,North\n")
    with pytest.raises(ImportRefused, match="rows 1 and 4 have the key “1” and differ"):
        books.run(*shop)
    shop[0].write_text(SHOP.replace('columns = ["rep", "region"]', 'columns = ["rep", "region"]\nduplicates = "last"'))
    books.run(*shop)
    assert books.of_type("interaction.logged")[0].data["owner_id"] == "rep.three"


def test_setup_comes_first_and_defaults_serve_rows_without_values(books: Books, tmp_path: Path) -> None:
    mapping = write(
        tmp_path / "m.toml",
        toml("""
            name = "deals"
            source = "old-crm"
            occurred_at = "{$start}"
            [constants]
            start = "2020-01-01"
            [files.deals]
            pattern = "deals.csv"
            [[setup]]
            command = "define_pipeline"
            data = { pipeline_id = { ref = "p" }, name = "Sales", stages = [{ name = "New" }, { name = "Won", status = "won" }] }
            [[setup]]
            command = "register_customer"
            data = { customer_id = { ref = "-" }, name = "Nobody" }
            [[rows]]
            file = "deals"
            id = "{@row}"
            [[rows.commands]]
            command = "open_opportunity"
            data.customer_id = { ref = "{customer ?? '-'}" }
            data.pipeline_id = { ref = "p" }
            data.name = "Deal {@row} of {@file}"
            data.owner_id = "{owner ?? 'nobody'}"
            data.amount = "{amount | decimal(',')}"
        """),
    )
    summary = books.run(mapping, write(tmp_path / "deals.csv", 'customer,owner,amount\n,,"1.000,50"\n'))
    (deal,) = books.of_type("opportunity.opened")
    assert deal.data["name"] == "Deal 1 of deals.csv"
    assert deal.data["owner_id"] == "nobody"
    assert deal.data["amount"] == "1000.50"
    assert books.of_type("customer.registered")[0].data["external_source"] == "old-crm"
    assert summary.rows == 1


def test_rows_can_be_put_in_order_of_time_and_taken_once(books: Books, tmp_path: Path) -> None:
    mapping = write(
        tmp_path / "m.toml",
        toml("""
            name = "orders"
            [files.orders]
            pattern = "orders.csv"
            [[rows]]
            file = "orders"
            name = "buyers"
            id = "{buyer}"
            once = true
            order = "time"
            occurred_at = "{day}"
            [[rows.commands]]
            command = "register_customer"
            data = { customer_id = { ref = "{buyer}" }, name = "{buyer}" }
        """),
    )
    summary = books.run(
        mapping, write(tmp_path / "orders.csv", "buyer,day\na,2020-03-01\nb,2020-02-01\na,2020-01-01\n,2020-01-01\nb,soon\n")
    )
    assert [(each.data["name"], each.occurred_at[:10]) for each in books.of_type("customer.registered")] == [
        ("a", "2020-01-01"),
        ("b", "2020-02-01"),
    ]
    assert (summary.passed_over, summary.refused_codes) == (1, {"key.empty": 1, "value.not_a_time": 1})


def test_all_parts_can_be_merged_by_time(books: Books, shop: tuple[Path, ...]) -> None:
    shop[0].write_text(SHOP.replace('name = "shop"', 'name = "shop"\norder = "time"'))
    books.run(*shop)
    times = [event.occurred_at for event in books.events()]
    assert times == sorted(times)
    assert len(books.of_type("interaction.logged")) == 2


def test_long_and_strange_row_ids_make_command_ids_that_any_door_takes(books: Books, shop: tuple[Path, ...]) -> None:
    long = "é" * 180
    shop[1].write_text(PEOPLE.lstrip() + f"{long},Long,person,2020-01-01,R,N\n50% off: x,Strange,person,2020-01-01,R,N\n")
    summary = books.run(*shop)
    ids = [event.command_id for event in books.of_type("customer.registered")]
    assert all(len(each) <= 200 and each.isascii() and " " not in each for each in ids)
    assert "import:shop:people:50%25%20off:%20x:register_customer" in ids
    assert books.run(*shop).repeated == summary.accepted


def test_a_wrong_mapping_imports_nothing(books: Books, tmp_path: Path) -> None:
    with pytest.raises(InvalidMapping, match=r"bad\.toml: name: this key is missing"):
        run_import(
            write(tmp_path / "bad.toml", '[files.a]\npattern = "a.csv"\n'),
            [],
            log=books.log,
            dispatcher=books.dispatcher,
            actor=ACTOR,
        )
