"""All changes in a period, over HTTP and on the command line: nothing is left out, told twice, run by a spreadsheet, or told of the forgotten."""

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.changes.asking import Format, format_of
from api.demo.fill import fill
from api.settings import load_settings
from api.wiring import Daybook, open_books
from tests.commands.orders import order, receipt
from tests.replay.audit.test_customer_history import Page

Row = dict[str, Any]


def give(daybook: Daybook, name: str, /, **data: Any) -> str:
    return str(receipt(daybook.books.dispatcher.execute([order(name, **data)])[0]).stream_id)


def get(http: TestClient, **parameters: Any) -> Row:
    response = http.get("/v1/audit/changes", params=parameters)
    assert response.status_code == 200, response.text
    return dict(response.json())


def as_csv(http: TestClient, **parameters: Any) -> list[dict[str, str]]:
    response = http.get("/v1/audit/changes", params={**parameters, "format": "csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


@pytest.fixture
def company(daybook: Daybook) -> Daybook:
    fill(daybook.books.log, events=600)
    return daybook


def all_of(http: TestClient, **parameters: Any) -> list[Row]:
    """Page after page."""
    rows, cursor = list[Row](), None
    while True:
        page = get(http, **parameters, **({"cursor": cursor} if cursor else {}))
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows


def test_every_event_is_told_once_with_who_when_and_by_which_door(http: TestClient, company: Daybook) -> None:
    stored = company.books.log.read(0, 10_000)
    rows = all_of(http, limit=97)
    told = [(row["position"], row["occurred_at"], row["recorded_at"], row["actor"], row["source"], row["command_id"]) for row in rows]
    assert told == [(e.position, e.occurred_at, e.recorded_at, e.actor, e.source, e.command_id) for e in stored]
    assert [(row["type"], row["record_id"], row["version"]) for row in rows] == [(e.type, e.stream_id, e.version) for e in stored]


def test_what_is_before_and_after_is_what_the_feed_says(http: TestClient, company: Daybook) -> None:
    feed = http.get("/v1/events", params={"limit": 10_000, "changes": True}).json()["events"]
    for row, event in zip(all_of(http, limit=200), feed, strict=True):
        assert {change["field"]: (change["before"], change["after"]) for change in row["changes"]} == {
            name: (event["before"][name], event["after"][name]) for name in event["after"]
        }
    assert company.books.log.head() == len(feed)


def test_totals_are_of_everything_that_is_asked_for(http: TestClient, company: Daybook) -> None:
    events = company.books.log.read(0, 10_000)
    totals = get(http, limit=1)["totals"]
    assert totals["events"] == len(events)
    for name, key in (("actors", "actor"), ("sources", "source"), ("types", "type")):
        counted = Counter(getattr(event, key) for event in events)
        shown = {group["name"]: group["events"] for group in totals[name]}
        assert sum(shown.values()) == len(events)
        assert all(counted[group] == number for group, number in shown.items() if group)
    customer = next(event.stream_id for event in events if event.type == "customer.registered")
    assert get(http, customer=customer, limit=1)["totals"]["events"] == len(all_of(http, customer=customer))
    assert get(http, limit=1, totals=False)["totals"] is None


@pytest.mark.parametrize("clock", ["recorded", "occurred"])
def test_a_period_is_from_its_first_moment_up_to_but_without_its_last(http: TestClient, company: Daybook, clock: str) -> None:
    moments = sorted(getattr(event, f"{clock}_at") for event in company.books.log.read(0, 10_000))
    since, until = moments[100], moments[300]
    wanted = [event.position for event in company.books.log.read(0, 10_000) if since <= getattr(event, f"{clock}_at") < until]
    assert [row["position"] for row in all_of(http, since=since, until=until, clock=clock)] == wanted
    totals = get(http, since=since, until=until, clock=clock)["totals"]
    assert totals["events"] == len(wanted)


@pytest.mark.parametrize("name", ["actor", "source", "type", "record"])
def test_only_what_is_asked_for_is_told(http: TestClient, company: Daybook, name: str) -> None:
    rows = all_of(http, limit=500)
    value = Counter(row[name] for row in rows).most_common()[-1][0]
    assert all_of(http, **{name: value}) == [row for row in rows if row[name] == value]
    assert company.books.log.head() == len(rows)


def test_the_configuration_of_pipelines_is_such_a_view(http: TestClient, daybook: Daybook) -> None:
    stages = [{"name": name, "status": name if name in ("won", "lost") else "open"} for name in ("new", "offer", "won", "lost")]
    pipeline = give(daybook, "define_pipeline", name="Sales", stages=stages)
    give(daybook, "register_customer", name="Acme")
    give(daybook, "rename_stage", pipeline_id=pipeline, stage="offer", label="proposal")
    rows = get(http, record="pipeline")["items"]
    assert {row["record_id"] for row in rows} == {pipeline}
    renamed = {"field": "stage.offer.label", "before": "offer", "after": "proposal", "personal": False, "erased": False}
    assert rows[-1]["changes"] == [renamed]


def test_pages_end_where_the_log_ended_when_the_first_was_asked_for(http: TestClient, daybook: Daybook) -> None:
    for number in range(5):
        give(daybook, "register_customer", name=f"Customer {number}")
    first = get(http, limit=3)
    give(daybook, "register_customer", name="Later")
    rest = get(http, cursor=first["next"])
    assert [row["position"] for row in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
    assert (rest["next"], rest["upto"], rest["totals"]) == (None, 5, None)
    answer = http.get("/v1/audit/changes", params={"cursor": first["next"], "source": "api"})
    assert (answer.status_code, answer.json()["code"]) == (404, "cursor.unknown")


def test_there_is_no_next_page_where_nothing_more_is_wanted(http: TestClient, daybook: Daybook) -> None:
    give(daybook, "register_customer", name="Acme", email="a@example.org")
    give(daybook, "register_customer", name="Bcme", email="b@example.org")
    assert get(http, type="customer.registered", limit=2)["next"] is None
    assert get(http, type="customer.registered", limit=1)["next"] is not None


def test_in_csv_each_field_that_changed_has_a_line(http: TestClient, company: Daybook) -> None:
    lines = as_csv(http)
    rows = all_of(http, limit=500)
    assert len(lines) == sum(max(1, len(row["changes"])) for row in rows)
    assert list(dict.fromkeys(int(line["position"]) for line in lines)) == list(range(1, company.books.log.head() + 1))


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t"])
def test_a_spreadsheet_runs_nothing(http: TestClient, daybook: Daybook, begins: str) -> None:
    evil = f"{begins}HYPERLINK(0)"
    give(daybook, "register_customer", name="Acme", industry=evil.strip() if begins == "\t" else evil)
    lines = as_csv(http)
    assert not [cell for line in lines for cell in line.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    if begins != "\t":
        assert evil in [change["after"] for row in get(http)["items"] for change in row["changes"]]
        assert "'" + evil in [line["after"] for line in lines]


def test_who_was_forgotten_is_null_and_marked(http: TestClient, daybook: Daybook) -> None:
    ada = give(daybook, "register_customer", kind="person", name="Ada Lovelace")
    give(daybook, "rename_customer", customer_id=ada, name="Ada King")
    renamed = {"field": "person_name", "before": "Ada Lovelace", "after": "Ada King", "personal": True, "erased": False}
    assert renamed in get(http)["items"][-1]["changes"]
    withheld = {"field": "person_name", "before": None, "after": None, "personal": True, "erased": False}
    assert withheld in get(http, personal=False)["items"][-1]["changes"]
    give(daybook, "erase_customer", customer_id=ada, legal_basis="consent_withdrawn")
    assert withheld | {"erased": True} in get(http, type="customer.renamed")["items"][-1]["changes"]
    for how in Format:
        for personal in (True, False):
            answer = http.get("/v1/audit/changes", params={"format": how, "personal": personal})
            assert "Ada" not in answer.text
            assert answer.status_code == 200


def test_the_page_stands_by_itself_and_says_whether_it_is_whole(http: TestClient, daybook: Daybook) -> None:
    for number in range(3):
        give(daybook, "register_customer", name=f"<b>{number}</b>")
    whole = http.get("/v1/audit/changes", params={"format": "html"})
    assert whole.headers["content-type"] == "text/html; charset=utf-8"
    parsed = Page()
    parsed.feed(whole.text)
    assert (parsed.open, "script" in parsed.seen, "b" in parsed.seen) == ([], False, False)
    assert "<b>2</b>" in parsed.text
    assert "3 events" in parsed.text
    assert "These are all of them." in parsed.text
    part = http.get("/v1/audit/changes", params={"format": "html", "limit": 2, "language": "zh"}).text
    assert "本页止于序号 2" in part
    assert "3 个事件" in part


@pytest.mark.parametrize(
    ("accept", "how"),
    [
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("text/csv", Format.CSV),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format.HTML),
        ("text/html;q=0.5, application/json", Format.JSON),
        ("text/csv;q=0, text/html;q=nonsense", Format.JSON),
    ],
)
def test_the_accept_header_says_as_what(accept: str, how: Format) -> None:
    assert format_of(accept) is how


def test_what_a_browser_asks_for_is_a_page(http: TestClient) -> None:
    answer = http.get("/v1/audit/changes", headers={"accept": "text/html,*/*;q=0.8"})
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("since=2026-02-01&until=2026-01-01", 409, "period.empty"),
        ("since=2026-02-01&until=2026-02-01", 409, "period.empty"),
        ("since=yesterday", 422, "request.invalid"),
        ("clock=wall", 422, "request.invalid"),
        ("record=planet", 422, "request.invalid"),
        ("format=xlsx", 422, "request.invalid"),
        ("limit=10001", 422, "request.invalid"),
        ("who=me", 422, "request.invalid"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAA", 404, "cursor.unknown"),
    ],
)
def test_what_cannot_be_asked_is_refused(http: TestClient, query: str, status: int, code: str) -> None:
    for how in ("json", "csv", "html"):
        answer = http.get(f"/v1/audit/changes?{query}" + ("" if "format" in query else f"&format={how}"))
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def changes_command(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from api.cli import main; main()", "--data", folder, "audit", "changes", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


def test_the_command_writes_all_three(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with open_books(load_settings({}, data=folder)) as books:
        made = receipt(books.dispatcher.execute([order("register_customer", name="Acme")])[0])
        books.dispatcher.execute([order("rename_customer", customer_id=str(made.stream_id), name="Acme Ltd")])
    told = json.loads(changes_command(folder, "--json", "--type", "customer.renamed").stdout)
    assert [row["position"] for row in told["items"]] == [2]
    assert told["items"][0]["changes"][0] | {"before": "Acme", "after": "Acme Ltd"} == told["items"][0]["changes"][0]
    written = changes_command(folder, "--csv", tmp_path / "all.csv", "--html", tmp_path / "all.html")
    assert written.returncode == 0, written.stderr
    assert len((tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()) > 2
    assert "Acme Ltd" in (tmp_path / "all.html").read_text(encoding="utf-8")
    shown = changes_command(folder, "--since", "2026-01-01")
    assert "name: Acme → Acme Ltd" in shown.stdout, shown.stderr
    assert changes_command(folder, "--clock", "wall").returncode == 1
    assert changes_command(tmp_path / "nowhere").returncode == 1
