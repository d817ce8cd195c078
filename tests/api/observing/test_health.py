"""Health: whether the process answers, whether to send it requests, whether all is well."""

import sqlite3
from contextlib import closing

from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import Daybook, open_daybook


def test_a_process_that_answers_is_live_whatever_else_is_wrong(http: TestClient, daybook: Daybook) -> None:
    daybook.books.log.close()
    assert (http.get("/health/live").status_code, http.get("/health/live").json()) == (200, {"status": "live"})
    answer = http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"], answer.json()["head"]) == (503, "unready", None)
    assert answer.json()["troubles"] == ["the log was closed"]


def test_a_process_whose_read_models_are_up_to_date_is_ready(http: TestClient) -> None:
    assert (http.get("/health/ready").status_code, http.get("/health/ready").json()) == (
        200,
        {"status": "ready", "head": 0, "lag": {"lookups": 0, "facts": 0}, "troubles": []},
    )


def test_read_models_that_are_too_far_behind_make_a_process_unready(settings: Settings) -> None:
    with open_daybook(settings.model_copy(update={"ready_lag": 2})) as daybook, TestClient(create_app(daybook)) as http:
        for n in range(3):
            position = http.post("/v1/commands/register_customer", json={"name": f"Customer {n}"}).json()["position"]
        answer = http.get("/health/ready")
        assert (answer.status_code, answer.json()["lag"]) == (503, {"lookups": 3, "facts": 3})
        assert answer.json()["troubles"] == ["the lookups are 3 positions behind the log", "the facts are 3 positions behind the log"]
        daybook.reach(position)
        assert http.get("/health/ready").status_code == 200


def test_a_read_model_that_stopped_makes_a_process_unready(http: TestClient, settings: Settings) -> None:
    with closing(sqlite3.connect(settings.data / "lookups.db")) as lookups, lookups:
        lookups.execute("UPDATE folds SET error_position = 7, error = 'broken' WHERE fold = 'contacts' AND state = 'serving'")
    answer = http.get("/health/ready")
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["contacts in the lookups stopped at position 7: broken"])


def test_a_process_that_shuts_down_is_not_ready(http: TestClient, daybook: Daybook) -> None:
    daybook.streams.end()
    answer = http.get("/health/ready")
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["Daybook is shutting down"])
