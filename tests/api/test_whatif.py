"""Trials over HTTP and on the command line: bounded, refused with stable codes, and nothing of them stays."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.cli.main import program
from api.reading.whatif import TrialMessage, WhatIfBody
from api.settings import load_settings
from api.wiring import Daybook, open_daybook
from tests.commands.orders import CUSTOMER, PIPELINE, deal, ext, order, receipt

WINS = {"rule": "tally", "events": ["opportunity.won"]}
TRIAL: dict[str, Any] = {
    "stages": [{"pipeline": "Sales", "count_as": {"Lead": "Offer"}, "probability": {"Offer": 40}}],
    "targets": {"standard": {"normal": {"first_response": "30m"}}},
    "folds": {
        "wins": {
            "key": ["owner_id"],
            "columns": {"won": WINS, "last": {"rule": "newest", "field": "@occurred_at", "events": ["opportunity.won"]}},
        }
    },
}


@pytest.fixture(scope="module")
def daybook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daybook]:
    with open_daybook(load_settings({}, data=tmp_path_factory.mktemp("data")), follow=True) as opened:
        orders = [
            PIPELINE,
            CUSTOMER,
            deal(1, amount="12.50"),
            deal(2, amount="7"),
            order("move_opportunity", opportunity_id=ext(1), to_stage="Offer"),
            order("win_opportunity", opportunity_id=ext(2)),
            order("open_request", request_id=ext("r"), customer_id=ext("acme"), subject="Help", channel="email", category="bug"),
        ]
        last = [receipt(outcome) for outcome in opened.books.dispatcher.execute(orders)][-1]
        opened.reach(last.position)
        yield opened


@pytest.fixture
def http(daybook: Daybook) -> Iterator[TestClient]:
    with TestClient(create_app(daybook)) as client:
        yield client


def test_a_trial_is_answered_beside_today(http: TestClient, daybook: Daybook) -> None:
    response = http.post("/v1/whatif", json=TRIAL)
    assert response.status_code == 200, response.text
    WhatIfBody.model_validate_json(orjson.dumps(response.json()), strict=True)
    answer = {each["name"]: each for each in response.json()["comparisons"]}
    assert list(answer) == ["funnel", "weighted", "targets", "wins"]
    offer = next(row for row in answer["weighted"]["rows"] if row["key"] == ["Offer"])
    assert (offer["old"]["weighted_value"], offer["new"]["weighted_value"], offer["difference"]["weighted_value"]) == (
        "0.00",
        "5.00",
        "5.00",
    )
    lead = next(row for row in answer["funnel"]["rows"] if row["key"] == ["Lead"])
    assert (lead["old"]["reached"], lead["new"]) == (2, None)
    [wins] = answer["wins"]["rows"]
    assert (wins["key"], wins["old"], wins["new"]["won"]) == (["ana"], None, 1)
    assert response.headers["Daybook-Position"] == str(response.json()["position"]) == str(daybook.books.log.head())


def test_nothing_of_a_trial_stays(http: TestClient) -> None:
    def everything() -> list[Any]:
        tables = http.post("/v1/sql", json={"sql": "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"}).json()
        return [tables, http.get("/v1/funnel").json(), http.get("/v1/folds").json(), http.get("/v1/pipelines").json()]

    before = everything()
    assert http.post("/v1/whatif", json=TRIAL).status_code == 200
    assert everything() == before


def with_column(**said: Any) -> dict[str, Any]:
    return {"folds": {"tried": {"key": {"who": "owner_id"}, "columns": {"a": WINS | said}}}}


@pytest.mark.parametrize(
    ("trial", "status", "code"),
    [
        ({"stages": [{"pipeline": "Nowhere"}]}, 404, "pipeline.unknown"),
        ({"stages": [{"count_as": {"Nothing": "Offer"}}]}, 404, "stage.unknown"),
        ({"stages": [{"count_as": {"Won": "Offer"}}]}, 409, "whatif.stage_status"),
        ({"stages": [{"pipeline": "Sales", "order": ["Lead"]}]}, 409, "whatif.stage_order"),
        ({"stages": [{"probability": {"Offer": 101}}]}, 422, "request.invalid"),
        ({"targets": {"standard": {"normal": {"resolution": "soon"}}}}, 422, "request.invalid"),
        ({"targets": {"gold": {}}}, 422, "request.invalid"),
        ({"funnel": {"since": "2024-01-01T00:00:00Z"}}, 422, "request.invalid"),
        ({"rows": 1001}, 422, "request.invalid"),
        ({"code": "import os"}, 422, "request.invalid"),
        (with_column(events=["opportunity.vanished"]), 409, "whatif.fold"),
        (with_column(rule="median"), 422, "request.invalid"),
        (with_column(when={"nonsense": [1]}), 409, "whatif.fold"),
        (with_column(rule="total", value=2**53), 200, None),
        (with_column(rule="total", value=2**53 + 1), 422, "request.invalid"),
    ],
)
def test_a_trial_that_cannot_be_made_is_refused_with_its_code(
    http: TestClient, trial: dict[str, Any], status: int, code: str | None
) -> None:
    response = http.post("/v1/whatif", json=trial)
    assert (response.status_code, response.json().get("code")) == (status, code), response.text


def test_the_command_line_reads_a_file_and_shows_what_differs(tmp_path: Path) -> None:
    other = tmp_path / "data"
    with open_daybook(load_settings({}, data=other)) as opened:
        opened.books.dispatcher.execute([PIPELINE, CUSTOMER, deal(1, amount="12.50")])
    file = tmp_path / "trial.toml"
    file.write_text('[[stages]]\npipeline = "Sales"\nprobability = { Lead = 25 }\n\n[funnel]\nsince = 2024-01-01\n', encoding="utf-8")
    shown = CliRunner().invoke(program, ["--data", str(other), "whatif", str(file)])
    assert shown.exit_code == 0, shown.output
    assert "funnel Sales: " in shown.output
    assert (
        " ".join(next(line for line in shown.output.splitlines() if "all" in line.split()).split()) == "all weighted_value 0.00 3.12 3.12"
    )
    answer = CliRunner().invoke(program, ["--data", str(other), "--json", "whatif", str(file)])
    assert [each["name"] for each in json.loads(answer.output)["comparisons"]] == ["funnel", "weighted"]


def test_the_page_shows_trials_that_can_be_made(root: Path) -> None:
    shown = re.findall(r"```toml\n(.*?)```", (root / "docs" / "whatif.md").read_text(encoding="utf-8"), re.DOTALL)
    trials = [TrialMessage.model_validate_json(orjson.dumps(tomllib.loads(text))).trial() for text in shown]
    assert [(len(trial.stages), len(trial.promises), len(trial.folds)) for trial in trials] == [(1, 0, 0), (1, 0, 0), (0, 3, 0), (0, 0, 1)]
