"""What a server counts and measures, as Prometheus reads it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api.app import create_server
from api.observing.exposing import served, telling
from api.observing.families import FAMILIES, HEAD, Kind
from api.observing.metrics import Metrics
from api.problems import Unavailable
from api.settings import Settings, load_settings
from api.wiring import Daybook, open_daybook
from bus.errors import LogUnavailable

ELSEWHERE = ("daybook_publisher_", "daybook_worker_", "daybook_taker_", "daybook_fold_partition_")
"""What other processes tell begins with one of these."""
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def followed(settings: Settings) -> Iterator[Daybook]:
    with open_daybook(settings, follow=True) as opened:
        yield opened


@pytest.fixture
def served_http(followed: Daybook) -> Iterator[TestClient]:
    with TestClient(create_server(followed), base_url="http://127.0.0.1:8400", raise_server_exceptions=False) as client:
        yield client


def told(http: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def value(http: TestClient, name: str, **labels: str) -> float:
    return told(http).get((name, tuple(sorted(labels.items()))), 0.0)


def register(http: TestClient, name: str, **headers: str) -> dict[str, Any]:
    return http.post("/v1/commands/register_customer", json={"name": name}, headers=headers).json()


def test_commands_are_counted_by_name_and_what_became_of_them(served_http: TestClient) -> None:
    for _ in range(3):
        register(served_http, "Kwik-E-Mart")
    key = {"idempotency-key": "once"}
    for _ in range(2):
        register(served_http, "Moe's", **key)
    register(served_http, "Another", **key)
    served_http.post("/v1/commands/register_customer", json={"nme": "x"})
    served_http.post("/v1/commands/rename_customer", json={"customer_id": NOBODY, "name": "x"})
    served_http.post("/v1/commands/make_it_up", json={})
    found = {
        (labels["command"], labels["outcome"], labels["code"]): count
        for (name, pairs), count in told(served_http).items()
        if name == "daybook_commands_total"
        for labels in [dict(pairs)]
    }
    assert found == {
        ("register_customer", "accepted", ""): 4,
        ("register_customer", "repeated", ""): 1,
        ("register_customer", "refused", "command.id_reused"): 1,
        ("register_customer", "refused", "command.invalid"): 1,
        ("rename_customer", "refused", "customer.unknown"): 1,
        ("unknown", "refused", "command.unknown"): 1,
    }
    assert value(served_http, "daybook_events_recorded_total") == 4


def test_commands_of_a_bulk_are_counted_each(served_http: TestClient) -> None:
    lines = b'{"command": "register_customer", "data": {"name": "a"}}\nnonsense\n{"command": "register_customer", "data": {}}\n'
    for atomic in ("false", "true"):
        served_http.post(f"/v1/commands?atomic={atomic}", content=lines, headers={"content-type": "application/x-ndjson"})
    samples = told(served_http)
    of = {
        (dict(pairs)["command"], dict(pairs)["code"]): count for (name, pairs), count in samples.items() if name == "daybook_commands_total"
    }
    assert of[("register_customer", "")] == 1
    assert of[("unknown", "body.malformed")] == 2
    assert of[("register_customer", "command.invalid")] == 1
    assert of[("register_customer", "batch.not_applied")] == 2


def test_what_cannot_be_written_is_counted_as_failed(served_http: TestClient, followed: Daybook) -> None:
    followed.books.log.close()
    assert served_http.post("/v1/commands/register_customer", json={"name": "x"}).status_code == 503
    assert served_http.get("/metrics").status_code == 200
    assert value(served_http, "daybook_commands_total", command="register_customer", outcome="failed", code="log.closed") == 1


def test_requests_are_counted_by_their_route_never_by_their_path(served_http: TestClient) -> None:
    served_http.get(f"/v1/customers/{NOBODY}")
    for path in (
        "/v1/customers/marge@example.com",
        "/v1/commands",
        "/marge@example.com",
        "/health",
        "/static/marge",
    ):
        served_http.get(path, params={"name": "marge@example.com"})
    served_http.request("MARGE", "/health")
    register(served_http, "x")
    text = served_http.get("/metrics").text
    assert "marge" not in text.lower()
    found = {
        (dict(pairs)["method"], dict(pairs)["route"], dict(pairs)["status"])
        for name, pairs in told(served_http)
        if name == "daybook_http_requests_total"
    }
    assert found == {
        ("GET", "/v1/customers/{customer_id}", "404"),
        ("GET", "/v1/customers/{customer_id}", "422"),
        ("GET", "/v1/commands", "405"),
        ("GET", "none", "404"),
        ("GET", "/health", "200"),
        ("GET", "/static", "404"),
        ("none", "/health", "405"),
        ("POST", "/v1/commands/{name}", "200"),
        ("GET", "/metrics", "200"),
    }


def test_durations_and_group_sizes_are_measured(served_http: TestClient) -> None:
    receipt = [register(served_http, f"Customer {n}") for n in range(5)][-1]
    served_http.get(f"/v1/customers/{receipt['stream_id']}", params={"at_least": receipt["position"]})
    samples = told(served_http)
    for name, labels, count in (
        ("daybook_http_request_duration_seconds", {"method": "POST", "route": "/v1/commands/{name}"}, 5),
        ("daybook_append_duration_seconds", {}, 5),
        ("daybook_append_commands", {}, 5),
        ("daybook_append_phase_seconds", {"phase": "commit"}, 5),
    ):
        pairs = tuple(sorted(labels.items()))
        assert samples[f"{name}_count", pairs] == count
        assert samples[f"{name}_bucket", tuple(sorted({**labels, "le": "+Inf"}.items()))] == count
        assert samples[f"{name}_sum", pairs] > 0
    assert samples["daybook_fold_batch_events_sum", (("home", "lookups"),)] == 5
    assert 0 < samples["daybook_fold_delay_seconds_sum", (("home", "lookups"),)] < 60


def test_positions_and_lags_are_those_of_the_parts(served_http: TestClient, followed: Daybook) -> None:
    position = [register(served_http, f"Customer {n}") for n in range(3)][-1]["position"]
    followed.reach(position)
    followed.auditor.reach(position)
    samples = told(served_http)
    assert samples["daybook_log_head_position", ()] == position
    for home, folds in ((engine.tables.home, engine.plans) for engine in followed.tables.engines.values()):
        assert samples["daybook_home_position", (("home", home),)] == position
        assert samples["daybook_home_lag_events", (("home", home),)] == 0
        for fold in folds:
            assert samples["daybook_fold_position", (("fold", fold), ("home", home))] == position
            assert samples["daybook_fold_stopped", (("fold", fold), ("home", home))] == 0
    assert samples["daybook_audit_position", ()] == position
    assert samples["daybook_archive_lag_events", ()] == position
    assert samples["daybook_feed_followers", ()] == 0
    assert {count for (name, _), count in samples.items() if name == "daybook_scrape_failed"} == {0.0}


def test_everything_that_is_told_is_declared_and_the_other_way_round(served_http: TestClient) -> None:
    register(served_http, "x")
    served_http.post("/v1/archive", json={})
    found = {family.name: family.type for family in openmetrics_families(as_openmetrics(served_http)) if family.name.startswith("daybook_")}
    here = [family for family in FAMILIES if not family.name.startswith(ELSEWHERE)]
    assert found == {family.name.removesuffix("_total"): family.kind.value for family in here}


def test_names_keep_to_the_conventions() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("daybook_")
        assert family.name.endswith("_total") == (family.kind is Kind.COUNTER), family.name
        assert bool(family.buckets) == (family.kind is Kind.HISTOGRAM), family.name
        assert "_ms" not in family.name
        assert family.says.endswith("."), family.name


def as_openmetrics(http: TestClient) -> str:
    answer = http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return answer.text


def test_the_format_goes_by_what_is_accepted(served_http: TestClient) -> None:
    plain = served_http.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert not plain.text.endswith("# EOF\n")
    assert as_openmetrics(served_http).endswith("# EOF\n")


def test_a_part_that_fails_hides_no_other(served_http: TestClient, followed: Daybook) -> None:
    def broken() -> Iterator[Any]:
        raise LogUnavailable("log.unavailable", "Marge Simpson")
        yield

    followed.telemetry.metrics.watch("broken", broken)
    samples = told(served_http)
    assert samples["daybook_scrape_failed", (("part", "broken"),)] == 1
    assert samples["daybook_scrape_failed", (("part", "log"),)] == 0
    assert ("daybook_log_head_position", ()) in samples


def test_two_applications_in_one_process_count_apart(tmp_path: Path) -> None:
    with (
        open_daybook(load_settings({}, data=tmp_path / "one")) as one,
        open_daybook(load_settings({}, data=tmp_path / "two")) as two,
        TestClient(create_server(one), base_url="http://127.0.0.1") as first,
        TestClient(create_server(two), base_url="http://127.0.0.1") as second,
    ):
        register(first, "x")
        assert (value(first, "daybook_events_recorded_total"), value(second, "daybook_events_recorded_total")) == (1, 0)


def scraped(port: int) -> list[Metric]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def test_a_process_without_http_serves_its_metrics_by_themselves() -> None:
    metrics = Metrics()
    metrics.watch("log", lambda: [(HEAD, (), 7.0)])
    with served(metrics, 0) as port:
        found = {family.name: family for family in scraped(port)}
        with pytest.raises(Unavailable) as refused, served(metrics, port):
            pass
    assert found["daybook_log_head_position"].samples[0].value == 7
    assert refused.value.code == "metrics.address_taken"


def test_only_where_a_port_is_set_is_anything_served(data_folder: Path) -> None:
    with telling(load_settings({}, data=data_folder), "publish") as telemetry:
        info = next(family for family in telemetry.metrics.registry.collect() if family.name == "daybook_info")
    assert info.samples[0].labels["role"] == "publish"


def test_what_the_documentation_tells_to_look_at_is_there(root: Path) -> None:
    suffixes = {Kind.COUNTER: ("",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
    there = {family.name + suffix for family in FAMILIES for suffix in suffixes[family.kind]}
    named = set(re.findall(r"\bdaybook_[a-z_]+", (root / "docs" / "observing.md").read_text(encoding="utf-8")))
    assert named - there == set()
