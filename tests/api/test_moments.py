"""Every read can be asked as of another moment, by either clock, over HTTP and on the command line."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.cli.queries import MOMENT, QUERIES
from api.settings import load_settings
from api.wiring import Daybook, open_daybook
from tests.commands.orders import CUSTOMER, PIPELINE, deal, ext, order, receipt

NOW = datetime.now(UTC)
FINE = "%Y-%m-%dT%H:%M:%S.%fZ"


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture(scope="module")
def daybook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daybook]:
    with open_daybook(load_settings({}, data=tmp_path_factory.mktemp("data"), max_wait_seconds=5.0), follow=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def ids(daybook: Daybook) -> dict[str, str]:
    """A deal of 100 days ago that was won 10 days ago, and a call of 50 days ago that is only logged `late`; ids, and instants by name."""
    ids: dict[str, str] = {}

    def give(name: str, what: Any) -> None:
        made = receipt(daybook.books.dispatcher.execute([what])[0])
        ids[name] = str(made.stream_id)
        ids["position"] = str(made.position)

    give("pipeline", order("define_pipeline", at=ago(200), **PIPELINE.data))
    give("customer", order("register_customer", at=ago(200), **CUSTOMER.data))
    give("deal", order("open_opportunity", at=ago(100), **deal(1, amount="40.00").data))
    give("won", order("win_opportunity", at=ago(10), opportunity_id=ext(1)))
    ids["early"] = datetime.now(UTC).strftime(FINE)
    give("call", order("log_interaction", at=ago(50), customer_id=ext("acme"), kind="call", direction="outbound", subject="Hello"))
    return ids


@pytest.fixture(scope="module")
def http(daybook: Daybook, ids: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(create_app(daybook)) as client:
        client.params = {"at_least": ids["position"]}
        yield client


def got(http: TestClient, path: str, **parameters: Any) -> Any:
    response = http.get(path, params=parameters)
    assert response.status_code == 200, response.text
    assert int(response.headers["Daybook-Position"]) >= int(http.params["at_least"])
    return response.json()


def day(days: int) -> str:
    return ago(days).strftime(FINE)


def test_a_customer_of_the_past_has_only_what_had_happened(http: TestClient, ids: dict[str, str]) -> None:
    path = f"/v1/customers/{ids['customer']}"
    now, before, earlier = got(http, path), got(http, path, as_of=day(30)), got(http, path, as_of=day(150))
    assert [each["deals"]["won_revenue"] for each in (now, before, earlier)] == ["40.00", "0.00", "0.00"]
    assert [each["deals"]["open_value"] for each in (now, before, earlier)] == ["0.00", "40.00", "0.00"]
    assert [each["interactions"]["count"] for each in (now, before, earlier)] == [1, 1, 0]
    assert before["health"]["at"].startswith(day(30)[:19])
    assert got(http, "/v1/customers/by-external", source="test", id="acme", as_of=day(30)) == before


def test_what_was_learnt_late_had_happened_but_was_not_known(http: TestClient, ids: dict[str, str]) -> None:
    path = f"/v1/customers/{ids['customer']}"
    assert got(http, path, as_of=day(30))["interactions"]["count"] == 1
    assert got(http, path, known_at=ids["early"])["interactions"]["count"] == 0
    assert got(http, path, as_of=day(30), known_at=ids["early"])["interactions"]["count"] == 0


def test_before_it_was_there_it_is_unknown(http: TestClient, ids: dict[str, str]) -> None:
    for path in (f"/v1/customers/{ids['customer']}", f"/v1/customers/{ids['customer']}/timeline", f"/v1/opportunities/{ids['deal']}"):
        assert http.get(path, params={"as_of": day(300)}).status_code == 404


def test_figures_are_those_of_the_moment(http: TestClient) -> None:
    def stages(**asked: str) -> dict[str, int]:
        [funnel] = got(http, "/v1/funnel", **asked)["funnels"]
        return {stage["stage"]: stage["now_in"] for stage in funnel["stages"] if stage["now_in"]}

    assert (stages(), stages(as_of=day(20))) == ({"Won": 1}, {"Lead": 1})
    assert got(http, "/v1/satisfaction", as_of=day(20))["groups"] == []


def test_lists_records_board_and_timeline_are_those_of_the_moment(http: TestClient, ids: dict[str, str]) -> None:
    assert [each["status"] for each in got(http, "/v1/opportunities", as_of=day(20))["items"]] == ["open"]
    assert got(http, "/v1/opportunities", as_of=day(120))["items"] == []
    assert got(http, f"/v1/opportunities/{ids['deal']}", as_of=day(20))["status"] == "open"
    assert got(http, f"/v1/pipelines/{ids['pipeline']}", as_of=day(20))["stages"]
    [board] = got(http, "/v1/board", as_of=day(20))["boards"]
    assert [stage["count"] for stage in board["stages"]][:1] == [1]
    assert 79 < board["stages"][0]["deals"][0]["age_days"] < 81
    told = got(http, f"/v1/customers/{ids['customer']}/timeline", as_of=day(20))["items"]
    assert "opportunity.won" not in {event["type"] for event in told}
    assert "interaction.logged" in {event["type"] for event in told}


def test_sql_is_answered_as_of_the_moment(http: TestClient) -> None:
    def rows(**asked: str) -> Any:
        answer = http.post("/v1/sql", params=asked, json={"sql": "SELECT status, count(*) FROM Opportunities GROUP BY 1"})
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"]

    assert (rows(), rows(as_of=day(20)), rows(as_of=day(120))) == ([["won", 1]], [["open", 1]], [])
    refused = http.post("/v1/sql", params={"as_of": day(1)}, json={"sql": "SELECT * FROM read_csv('/etc/passwd')"})
    assert (refused.status_code, refused.json()["code"]) == (400, "sql.wrong")


def test_a_day_is_meant_up_to_its_end(http: TestClient, ids: dict[str, str]) -> None:
    path = f"/v1/opportunities/{ids['deal']}"
    assert got(http, path, as_of=day(10)[:10])["status"] == "won"
    assert got(http, path, as_of=day(11)[:10])["status"] == "open"


@pytest.mark.parametrize(
    "moment", ["yesterday", "2026-02-30", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "0001-01-01T00:00:00+01:00", "", "9"]
)
def test_what_is_no_moment_is_refused(http: TestClient, moment: str) -> None:
    answer = http.get("/v1/funnel", params={"as_of": moment})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00%2B05:30"])
def test_the_ends_of_time_are_moments(http: TestClient, moment: str) -> None:
    assert http.get(f"/v1/funnel?as_of={moment}").status_code == 200


def test_what_is_not_written_yet_cannot_be_included(http: TestClient) -> None:
    answer = http.get("/v1/funnel", params={"as_of": day(1), "at_least": 10**6})
    assert (answer.status_code, answer.json()["code"]) == (409, "position.unwritten")


def test_every_read_has_moments_but_those_of_events_and_persons() -> None:
    assert {name for name, query in QUERIES.items() if not query.has_moments} == {"events", "stream", "person"}
    assert all({field.name for field in query.fields} >= {*MOMENT} for query in QUERIES.values() if query.has_moments)
