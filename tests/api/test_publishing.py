"""`daybook publish`, as whoever runs it sees it."""

import json
from pathlib import Path

import pytest

from api.cli.main import main
from api.settings import load_settings
from tests.faults.commands import run, start
from tests.faults.server import free_port
from tests.kafka_broker.broker import Broker

CUSTOMER = '{"command": "register_customer", "command_id": "c-%d", "data": {"name": "Kwik-E-Mart"}}\n'


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capfd.readouterr()
    try:
        main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0), *capfd.readouterr()
    return 0, *capfd.readouterr()


def test_what_there_is_is_published_once(
    data_folder: Path, kafka_server: Broker, topics_prefix: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = data_folder.with_name("customers.ndjson")
    file.write_text("".join(CUSTOMER % number for number in range(3)))
    run(data_folder, "ingest", str(file))
    monkeypatch.setenv("DAYBOOK_KAFKA", kafka_server.address)
    monkeypatch.setenv("DAYBOOK_TOPICS_PREFIX", topics_prefix)
    code, out, _ = said(capfd, "--data", str(data_folder), "--json", "publish", "--once")
    first = json.loads(out)
    assert code == 0
    assert first["position"] == first["published"] > 0
    assert (first["lag"], first["epoch"], first["topic"]) == (0, 1, f"{topics_prefix}.events")
    code, out, _ = said(capfd, "--data", str(data_folder), "publish", "--once")
    assert code == 0
    assert "published" in out


def test_a_second_publisher_is_told_why_it_may_not(
    data_folder: Path, kafka_server: Broker, topics_prefix: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    output = data_folder.with_name("first.txt")
    first = start(data_folder, "publish", output=output, settings={"kafka": kafka_server.address, "topics_prefix": topics_prefix})
    try:
        while "publishing to" not in (output.read_text() if output.exists() else ""):
            assert first.poll() is None, output.read_text()
        monkeypatch.setenv("DAYBOOK_KAFKA", kafka_server.address)
        code, _, err = said(capfd, "--data", str(data_folder), "--json", "publish", "--once")
        assert code == 1
        assert json.loads(err.splitlines()[-1])["code"] == "publisher.running"
    finally:
        first.kill()
        first.wait()


def test_a_kafka_that_is_not_there_or_not_named_is_said_to_be_so(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capfd, "--data", str(data_folder), "--json", "publish", "--once")
    assert code == 1
    assert json.loads(err.splitlines()[-1])["code"] == "settings.invalid"
    monkeypatch.setenv("DAYBOOK_KAFKA", f"127.0.0.1:{free_port()}")
    code, _, err = said(capfd, "--data", str(data_folder), "--json", "publish", "--once")
    assert code == 1
    assert json.loads(err.splitlines()[-1])["code"] == "kafka.unavailable"


def test_how_kafka_is_got_into_comes_from_the_settings() -> None:
    from api.publishing import cluster_of  # noqa: PLC0415 - as the command does

    settings = load_settings(
        kafka="a:9092,b:9092", kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="PLAIN", kafka_username="d", kafka_password="hush"
    )
    options = cluster_of(settings).options()
    assert options["bootstrap_servers"] == ["a:9092", "b:9092"]
    assert (options["security_protocol"], options["sasl_plain_username"], options["sasl_plain_password"]) == ("SASL_SSL", "d", "hush")
