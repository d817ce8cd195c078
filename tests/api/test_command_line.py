"""The command line does what HTTP does, with and without a server."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import hoisted, main
from api.cli.output import NOT_A_TERMINAL, STDOUT
from api.cli.queries import QUERIES
from tests.faults.commands import PROGRAM, ROOT
from tests.faults.server import Server


@dataclass(frozen=True, slots=True)
class Said:
    """How a run ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def daybook(data_folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `daybook` on a folder of its own, with lines as wide as where nobody says how wide they are."""
    monkeypatch.setattr(STDOUT, "width", NOT_A_TERMINAL)

    def run(*arguments: str) -> Said:
        code = 0
        capfd.readouterr()
        try:
            main(["--data", str(data_folder), *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
        return Said(code, *capfd.readouterr())

    return run


def line(command: str, command_id: str, data: dict[str, Any], **more: Any) -> str:
    return json.dumps({"command": command, "command_id": command_id, "data": data, **more})


PIPELINE = line(
    "define_pipeline",
    "p",
    {
        "pipeline_id": {"source": "erp", "id": "p"},
        "name": "Sales",
        "stages": [{"name": "Lead"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}],
    },
)
CUSTOMER = line("register_customer", "c", {"customer_id": {"source": "erp", "id": "c"}, "name": "Kwik-E-Mart"})
DEAL = {"opportunity_id": {"source": "erp", "id": "d"}}
OPENED = line(
    "open_opportunity",
    "o",
    {
        **DEAL,
        "customer_id": {"source": "erp", "id": "c"},
        "pipeline_id": {"source": "erp", "id": "p"},
        "name": "Slush",
        "owner_id": "apu",
        "amount": "12.50",
    },
    occurred_at="2025-03-01T09:30:00Z",
)
WON = line("win_opportunity", "w", DEAL, occurred_at="2025-03-02T09:30:00Z")
WON_AGAIN = line("win_opportunity", "w2", DEAL, occurred_at="2025-03-03T09:30:00Z")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.ndjson"
    path.write_text(f"{PIPELINE}\n{CUSTOMER}\n\n{OPENED}\n{WON}\n")
    return path


def test_ingest_sends_every_line_and_its_figures_are_there(daybook: Run, history: Path) -> None:
    told = daybook("ingest", str(history), "--json")
    assert told.code == 0, told.err
    assert (told.json["lines"], told.json["accepted"], told.json["refused"], told.json["refused_file"]) == (5, 4, 0, None)
    totals = daybook("query", "funnel", "--pipeline", "Sales", "--json").json["funnels"][0]["totals"]
    assert [(total["opened"], total["won"], total["won_value"]) for total in totals] == [(1, 1, "12.50")]


def test_ingesting_again_adds_nothing(daybook: Run, history: Path) -> None:
    first = daybook("ingest", str(history), "--json").json
    again = daybook("ingest", str(history), "--json").json
    assert (again["repeated"], again["events"], again["position"]) == (4, 0, first["position"])


def test_ingest_reads_gzip(daybook: Run, history: Path, tmp_path: Path) -> None:
    packed = tmp_path / "history.ndjson.gz"
    packed.write_bytes(gzip.compress(history.read_bytes()))
    assert daybook("ingest", str(packed), "--json").json["accepted"] == 4


def test_refused_lines_go_into_a_file_that_says_why(daybook: Run, history: Path) -> None:
    history.write_text(history.read_text() + WON_AGAIN + "\n{broken\n")
    told = daybook("ingest", str(history), "--json")
    assert (told.code, told.json["accepted"], told.json["refused"]) == (1, 4, 2)
    refused = [json.loads(each) for each in Path(told.json["refused_file"]).read_text().splitlines()]
    assert [(each["line"], each["problem"]["code"]) for each in refused] == [(6, "opportunity.closed"), (7, "body.malformed")]
    assert refused[0]["text"] == WON_AGAIN
    assert Path(told.json["refused_file"]).stat().st_mode & 0o077 == 0


def test_a_report_that_breaks_a_rule_is_recorded_as_irregular(daybook: Run, history: Path) -> None:
    history.write_text(history.read_text() + json.dumps({**json.loads(WON_AGAIN), "command": "lose_opportunity", "report": True}) + "\n")
    assert daybook("ingest", str(history), "--json").json["refused"] == 0
    last = daybook("query", "events", "--limit", "100", "--json").json["events"][-1]
    assert (last["type"], last["irregular"]) == ("opportunity.lost", ["opportunity.closed", "opportunity.no_reason"])


def test_a_file_that_is_not_there_is_refused(daybook: Run) -> None:
    told = daybook("ingest", "nowhere.ndjson")
    assert told.code == 1
    assert told.err.startswith("file.unknown: ")


def test_a_command_is_sent_by_its_fields(daybook: Run) -> None:
    receipt = daybook(
        "command", "register-customer", "--customer-id", "erp:c", "--name", "Kwik-E-Mart", "--tags", "a", "--tags", "b", "--json"
    ).json
    assert receipt["version"] >= 1
    told = daybook("query", "customer", "erp:c", "--json").json
    assert (told["name"], told["tags"]) == ("Kwik-E-Mart", ["a", "b"])


def test_a_command_is_sent_as_a_whole_message(daybook: Run, tmp_path: Path) -> None:
    message = tmp_path / "message.json"
    message.write_text('{"name": "Kwik-E-Mart"}')
    first = daybook("command", "register_customer", "--body", f"@{message}", "--command-id", "k", "--json").json
    again = daybook("command", "register_customer", "--body", '{"name": "Kwik-E-Mart"}', "--command-id", "k", "--json").json
    assert again == {**first, "repeated": True}


def test_a_refusal_says_where_and_ends_with_exit_code_one(daybook: Run) -> None:
    told = daybook("command", "register_customer", "--json")
    assert told.code == 1
    assert [place["pointer"] for place in json.loads(told.err)["places"]] == ["/name"]


def test_a_command_line_that_is_not_understood_ends_with_exit_code_two(daybook: Run) -> None:
    assert daybook("nonsense").code == 2


def test_explain_takes_a_number_apart(daybook: Run, history: Path) -> None:
    daybook("ingest", str(history))
    found = daybook("explain", "customer_360", "erp:c", "won_revenue", "--json").json
    assert (found["shown"], found["comes_to"], [item["type"] for item in found["items"]]) == ("12.50", "12.50", ["opportunity.won"])
    assert "Opportunity won from Lead" in daybook("explain", "customer_360", "erp:c", "won_revenue").out
    assert "no event has said anything" in daybook("explain", "customer_360", "erp:c", "tier").out
    past = daybook("explain", "opportunities", "erp:d", "status", "--as-of", "2025-03-01", "--json").json
    assert (past["shown"], past["won_by"]) == ("open", past["items"][0]["position"])
    bar = daybook("explain", "funnel", "--pipeline", "Sales", "--stage", "Lead", "--number", "value", "--json").json
    assert (bar["shown"], bar["comes_to"], len(bar["items"])) == ("12.50", "12.50", 1)
    assert "Slush" in daybook("explain", "funnel", "--number", "won").out
    unknown = daybook("explain", "deals", "x", "y")
    assert (unknown.code, unknown.err.split(":")[0]) == (1, "fold.unknown")
    misspelled = daybook("explain", "stage_visits", "x", "stage", "--json")
    assert json.loads(misspelled.err)["code"] == "key.misspelled"


def test_sql_prints_a_table_json_or_a_file(daybook: Run, history: Path, tmp_path: Path) -> None:
    daybook("ingest", str(history))
    assert "Kwik-E-Mart" in daybook("sql", "SELECT name FROM customers").out
    assert daybook("sql", "SELECT name FROM customers", "--json").json["rows"] == [["Kwik-E-Mart"]]
    assert daybook("sql", "SELECT name FROM customers WHERE name = ?", "-p", "nobody", "--format", "csv").out == '"name"\n'
    assert daybook("sql", "SELECT 1", "--format", "parquet", "--output", str(tmp_path / "x.parquet")).code == 0
    assert (tmp_path / "x.parquet").read_bytes()[:4] == b"PAR1"
    assert daybook("sql", "DROP TABLE customers").code == 1


def test_rebuild_and_rollback_name_what_they_did(daybook: Run, history: Path) -> None:
    daybook("ingest", str(history))
    assert daybook("rebuild", "customers", "--json").json["rebuilt"] == ["customers"]
    assert [version["number"] for version in daybook("rollback", "customers", "--json").json] == [1]
    assert daybook("rebuild", "nonsense").err.startswith("fold.unknown: ")


def test_doctor_finds_nothing_wrong_with_a_healthy_folder(daybook: Run, history: Path) -> None:
    daybook("ingest", str(history))
    told = daybook("doctor", "--json")
    assert told.code == 0
    assert {finding["level"] for finding in told.json} == {"ok"}


def test_doctor_says_how_to_mend_what_is_wrong(daybook: Run, history: Path, data_folder: Path) -> None:
    daybook("ingest", str(history))
    (data_folder / "master.key").chmod(0o644)
    told = daybook("doctor", "--json")
    assert told.code == 1
    assert [finding["mend"] for finding in told.json if finding["level"] == "trouble"] == [f"chmod 600 {data_folder / 'master.key'}"]


def test_doctor_knows_a_log_whose_keys_do_not_fit(daybook: Run, history: Path, data_folder: Path) -> None:
    daybook("ingest", str(history))
    (data_folder / "master.key").write_text("ab" * 32)
    told = daybook("doctor", "--json")
    assert told.code == 1
    assert any("keys.wrong_master_key" in finding["found"] for finding in told.json)


def test_serving_beyond_this_machine_is_refused(daybook: Run) -> None:
    told = daybook("serve", "--host", "192.0.2.1")
    assert told.code == 1
    assert "no access control" in told.err


def test_beside_a_server_everything_is_asked_of_it(daybook: Run, history: Path, data_folder: Path) -> None:
    server = Server(data_folder).started()
    try:
        assert daybook("ingest", str(history), "--json").json["accepted"] == 4
        position = daybook("query", "events", "--json").json["head"]
        assert daybook("query", "customer", "erp:c", "--at-least", str(position), "--json").json["name"] == "Kwik-E-Mart"
        assert daybook("sql", "SELECT 42 AS n", "--json").json["rows"] == [[42]]
        assert len(daybook("rebuild", "--json").json["rebuilt"]) > 10
        assert str(server.port) in next(finding["found"] for finding in daybook("doctor", "--json").json if finding["about"] == "server")
        refused = daybook("serve", "--port", "0")
        assert (refused.code, refused.err.split(":")[0]) == (1, "folder.held")
    finally:
        server.stop()
    assert not (data_folder / "server.json").exists()
    assert daybook("query", "customer", "erp:c", "--json").json["name"] == "Kwik-E-Mart"


def test_global_options_may_stand_anywhere() -> None:
    assert hoisted(["query", "--json", "funnel", "--data", "x", "--by", "owner"]) == [
        "--json",
        "--data",
        "x",
        "query",
        "funnel",
        "--by",
        "owner",
    ]
    assert hoisted(["sql", "--", "--json"]) == ["sql", "--", "--json"]


def test_every_read_over_http_can_be_asked_on_the_command_line(data_folder: Path) -> None:
    server = Server(data_folder).started()
    try:
        paths = server.get("/openapi.json")["paths"]
    finally:
        server.stop()
    reads = {path for path, operations in paths.items() if "get" in operations and path.startswith("/v1/")}
    audited = {path for path in reads if path.startswith("/v1/audit/")}  # `daybook audit` asks these, see test_auditing.py
    explained = {path for path in reads if path.startswith("/v1/explain/")}  # `daybook explain` asks these
    webhooks = {path for path in reads if path.startswith("/v1/webhooks")}  # `daybook webhooks` asks these
    assert reads - audited - explained - webhooks - {query.path for query in QUERIES.values()} == {"/v1/folds", "/v1/customers/by-external"}


def test_feed_prints_what_has_been_recorded(daybook: Run, history: Path) -> None:
    daybook("ingest", str(history))
    lines = [json.loads(each) for each in daybook("feed", "--after", "0", "--no-follow", "--json").out.splitlines()]
    assert [each["position"] for each in lines] == list(range(1, len(lines) + 1))
    assert (lines[-1]["type"], lines[-1]["after"]["status"], lines[-1]["cause"]["command_id"]) == ("opportunity.won", "won", "w")
    shown = daybook("feed", "--no-follow", "--record", "opportunity").out
    assert "Opportunity won from Lead" in shown
    assert "status: open → won" in shown


def test_feed_prints_only_what_is_wanted(daybook: Run, history: Path) -> None:
    daybook("ingest", str(history))
    told = daybook("feed", "--after", "0", "--limit", "1", "--type", "opportunity.won", "--json", "--no-changes")
    assert ([json.loads(each)["type"] for each in told.out.splitlines()], told.code) == (["opportunity.won"], 0)
    assert daybook("feed", "--type", "opportunity.dreamt").code == 1


def test_feed_goes_on_until_it_is_interrupted(daybook: Run, history: Path, data_folder: Path, tmp_path: Path) -> None:
    daybook("ingest", str(history))
    said = tmp_path / "feed.txt"
    with said.open("wb") as output:
        running = subprocess.Popen(
            [*PROGRAM, "--data", str(data_folder), "feed", "--json"], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: "opportunity.won" in said.read_text())
        daybook("command", "register_customer", "--name", "Later Ltd")
        until(lambda: "Later Ltd" in said.read_text())
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    finally:
        running.kill()
    assert all(json.loads(each) for each in said.read_text().splitlines())


def test_feed_of_a_folder_without_a_log_says_so(daybook: Run) -> None:
    assert json.loads(daybook("feed", "--json").err)["code"] == "log.unknown"


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
