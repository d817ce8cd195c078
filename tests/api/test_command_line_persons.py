"""`daybook erase`, `export-person` and `erasures`: says what will be gone, asks, and writes what is held."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from api.cli.caller import Refused
from api.cli.main import program
from api.problems import InvalidRequest

Run = Callable[..., Result]
NAME = "Wilhelmina Quast"


@pytest.fixture
def run(data_folder: Path) -> Run:
    """Runs `daybook` on a folder of its own; `says` is what is typed."""

    def runs(*arguments: str, says: str = "") -> Result:
        return CliRunner().invoke(program, ["--data", str(data_folder), *arguments], input=says)

    return runs


@pytest.fixture
def person(run: Run) -> str:
    made = json.loads(run("--json", "command", "register_customer", "--kind", "person", "--name", NAME).stdout)
    run("command", "open_request", "--customer-id", made["stream_id"], "--subject", "A question", "--channel", "email")
    return str(made["stream_id"])


def test_erasing_says_what_will_be_gone_and_asks(run: Run, person: str) -> None:
    asked = run("erase", person, "--legal-basis", "objection", says="n\n")
    assert asked.exit_code == 1
    assert "4 events, with 1 × customer person name, 1 × request subject" in asked.stderr
    assert NAME in run("query", "customer", person).stdout
    done = run("erase", person, "--legal-basis", "objection", says="y\n")
    assert done.exit_code == 0, done.stderr
    assert "erased" in done.stdout
    assert NAME not in run("query", "customer", person).stdout


def test_erasing_without_being_asked_answers_with_the_receipt(run: Run, person: str) -> None:
    told = json.loads(run("--json", "erase", person, "--legal-basis", "objection", "--yes", "--requested-on", "2026-03-01").stdout)
    assert (told["outcome"], told["kind"], len(told["receipt"]["event_ids"])) == ("erased", "customer", 1)
    again = json.loads(run("--json", "erase", person, "--legal-basis", "objection", "--yes").stdout)
    assert again["outcome"] == "erased before; nothing was done again"
    assert (again["erased_at"], again["texts"]) == (told["erased_at"], told["texts"])
    [listed] = [json.loads(line) for line in run("erasures").stdout.splitlines()]
    assert (listed["person"], listed["type"], listed["data"]["requested_on"]) == (person, "customer.erased", "2026-03-01")


def test_where_nobody_can_answer_nobody_is_erased(run: Run, person: str) -> None:
    assert isinstance(run("--json", "erase", person, "--legal-basis", "objection").exception, InvalidRequest)
    assert run("erase", person, "--legal-basis", "objection").exit_code == 1
    assert run("erasures").stdout == ""


@pytest.mark.parametrize("arguments", [("00000000-0000-4000-8000-000000000000", "objection"), ("nonsense", "objection"), (None, "whim")])
def test_what_cannot_be_erased_is_refused(run: Run, person: str, arguments: tuple[str | None, str]) -> None:
    who, basis = arguments
    assert isinstance(run("erase", who or person, "--legal-basis", basis, "--yes").exception, Refused)
    assert run("erasures").stdout == ""


def test_everything_held_is_written_as_json_and_as_a_page(run: Run, person: str, tmp_path: Path) -> None:
    folder = tmp_path / "handed out"
    told = json.loads(run("--json", "export-person", person, "--to", str(folder), "--language", "zh").stdout)
    assert told["events"] == 4
    dossier = json.loads((folder / "person.json").read_text(encoding="utf-8"))
    page = (folder / "person.html").read_text(encoding="utf-8")
    assert dossier["known"]["person_name"] == NAME
    assert all(text in page for text in (NAME, "A question", "关于您的全部记录", '<html lang="zh">'))
    assert "<script" not in page
    assert (folder.stat().st_mode & 0o777) == 0o700
    events = json.loads(run("--json", "query", "person", person).stdout)["events"]
    assert events == 5
