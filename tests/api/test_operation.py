"""Health, rebuilding, rolling back, SQL, and reading one's own write."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import Daybook, open_daybook
from projections.fold import Home


@pytest.fixture
def followed(settings: Settings) -> Iterator[TestClient]:
    """A Daybook whose read models follow by themselves, with one customer."""
    with open_daybook(settings, follow=True) as daybook, TestClient(create_app(daybook)) as client:
        yield client


def register(http: TestClient, name: str = "Kwik-E-Mart") -> dict[str, Any]:
    return http.post("/v1/commands/register_customer", json={"name": name, "industry": "retail"}).json()


def sql(http: TestClient, text: str, parameters: list[Any] | None = None, **options: Any) -> Any:
    return http.post("/v1/sql", params=options, json={"sql": text, "parameters": parameters or []})


def test_what_was_written_can_be_read_at_once_by_its_position(followed: TestClient) -> None:
    for n in range(3):
        receipt = register(followed, f"Customer {n}")
        found = sql(followed, "SELECT count(*) FROM customers", at_least=receipt["position"])
        assert found.json()["rows"] == [[n + 1]]


def test_a_position_that_is_not_written_is_a_conflict(followed: TestClient) -> None:
    answer = sql(followed, "SELECT 1", at_least=10_000)
    assert (answer.status_code, answer.json()["code"]) == (409, "position.unwritten")


def test_health_tells_how_far_the_read_models_are(http: TestClient) -> None:
    assert http.get("/health").json() == {"status": "ok", "head": 0, "folded": {"lookups": 0, "facts": 0}, "troubles": []}


def test_every_fold_serves(http: TestClient) -> None:
    told = http.get("/v1/folds").json()
    assert {(fold["state"], fold["stale"], fold["error"]) for fold in told["folds"]} == {("serving", False, None)}
    assert {"customers", "opportunities", "timeline", "customer_360"} <= {fold["fold"] for fold in told["folds"]}


def test_a_rebuilt_fold_holds_the_same_and_can_be_rolled_back(http: TestClient) -> None:
    receipt = register(http)
    before = sql(http, "FROM customers", at_least=receipt["position"]).json()["rows"]
    assert http.post("/v1/rebuild", json={"folds": ["customers"]}).json()["rebuilt"] == ["customers"]
    assert sql(http, "FROM customers").json()["rows"] == before
    back = http.post("/v1/rollback", json={"fold": "customers"}).json()["serving"]
    assert [version["number"] for version in back] == [1]
    assert sql(http, "FROM customers").json()["rows"] == before


def test_a_fold_that_stopped_is_told_of_and_goes_on_when_it_is_retried(daybook: Daybook, http: TestClient) -> None:
    tables = daybook.tables.engines[Home.LOOKUPS].tables
    with tables.writing() as writer:
        (version,) = [version for version in writer.versions() if version.fold == "customer_360"]
        writer.stop(version, 1, "customer.registered: ValueError: cannot be taken")
    receipt = register(http)
    assert http.get("/health").status_code == 503
    assert http.get("/v1/folds").json()["folds"]
    assert http.post("/v1/folds/customer_360/retry").json() == {
        "retried": [{"home": "lookups", "fold": "customer_360", "number": version.number, "position": 0}]
    }
    assert http.get(f"/v1/customers/{receipt['stream_id']}", params={"at_least": receipt["position"]}).status_code == 200
    assert http.get("/health").status_code == 200


def test_a_fold_that_has_not_stopped_is_not_retried(http: TestClient) -> None:
    answer = http.post("/v1/folds/customers/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "fold.not_stopped")
    answer = http.post("/v1/folds/nonsense/retry")
    assert (answer.status_code, answer.json()["code"]) == (404, "fold.unknown")


@pytest.mark.parametrize(("path", "body"), [("/v1/rebuild", {"folds": ["nonsense"]}), ("/v1/rollback", {"fold": "nonsense"})])
def test_a_fold_that_is_not_there_is_not_found(http: TestClient, path: str, body: dict[str, Any]) -> None:
    answer = http.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "fold.unknown")


def test_there_is_nothing_to_roll_back_to_before_a_rebuild(http: TestClient) -> None:
    answer = http.post("/v1/rollback", json={"fold": "customers"})
    assert (answer.status_code, answer.json()["code"]) == (409, "fold.nothing_kept")


def test_sql_answers_with_exact_values(http: TestClient) -> None:
    text = "SELECT 12.50::DECIMAL(18,4) AS amount, 9007199254740993 AS big, [1, 2] AS list, DATE '2026-03-01' AS day, NULL AS nothing, ? AS given"
    told = sql(http, text, ["x"]).json()
    assert told["rows"] == [["12.5000", "9007199254740993", [1, 2], "2026-03-01", None, "x"]]
    assert [column["name"] for column in told["columns"]] == ["amount", "big", "list", "day", "nothing", "given"]
    assert told["truncated"] is False


def test_rows_beyond_the_cap_are_left_out_and_it_is_said(http: TestClient) -> None:
    told = sql(http, "SELECT * FROM range(1000)").json()
    assert (len(told["rows"]), told["truncated"]) == (100, True)


def test_rows_come_as_csv_arrow_or_parquet_too(http: TestClient) -> None:
    text = "SELECT range AS n, [range] AS list FROM range(3) ORDER BY n"
    as_csv = sql(http, text, format="csv")
    assert list(csv.reader(io.StringIO(as_csv.text))) == [["n", "list"], ["0", "[0]"], ["1", "[1]"], ["2", "[2]"]]
    assert pa.ipc.open_stream(sql(http, text, format="arrow").content).read_all().column("n").to_pylist() == [0, 1, 2]
    assert pq.read_table(io.BytesIO(sql(http, text, format="parquet").content)).column("n").to_pylist() == [0, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM customers",
        "SELECT 1; SELECT 2",
        "COPY customers TO '/tmp/out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SET threads = 1",
        "ATTACH '/tmp/x.duckdb'",
        "INSTALL httpfs",
        "CREATE TABLE x AS SELECT 1",
        "PRAGMA enable_external_access = true",
        "nonsense",
        "SELECT nonsense FROM customers",
    ],
)
def test_nothing_but_a_select_on_the_facts_is_run(http: TestClient, text: str) -> None:
    answer = sql(http, text)
    assert answer.status_code == 400
    assert answer.json()["code"].startswith("sql.")


def test_personal_fields_are_not_among_the_facts(http: TestClient) -> None:
    http.post("/v1/commands/register_customer", json={"kind": "person", "name": "Apu Nahasapeemapetilon", "email": "apu@example.com"})
    for table in ("customers", "timeline"):
        told = sql(http, f"FROM {table}", at_least=1)
        assert "Apu" not in told.text
        assert "apu@example.com" not in told.text
