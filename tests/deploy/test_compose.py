"""The compose file is one, and what it starts is there: images, commands, settings, files."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from api.cli.main import program
from api.settings import PREFIX, load_settings
from tests.kafka_broker.programs import KAFKA_VERSION

NODES = ("publisher", "worker-1", "worker-2", "commands", "api-1", "api-2")


@pytest.fixture
def compose(root: Path) -> dict[str, Any]:
    text = (root / "deploy" / "compose.yaml").read_text()
    made = dict(line.split("=", 1) for line in CliRunner().invoke(program, ["new-secrets"]).stdout.splitlines())
    return yaml.safe_load(re.sub(r"\$\{(\w+):\?[^}]+\}", lambda found: made[found[1]], text))


def wrong(root: Path, compose: dict[str, Any]) -> list[str]:
    schema = json.loads((root / "tests" / "vendored" / "compose" / "compose-spec.json").read_text())
    return [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(compose)]


def test_the_file_keeps_to_the_specification(root: Path, compose: dict[str, Any]) -> None:
    assert wrong(root, compose) == []
    assert wrong(root, {**compose, "services": {"api-1": {"comand": ["serve"]}}})


@pytest.mark.parametrize("name", NODES)
def test_every_process_is_started_by_a_command_with_settings_that_there_are(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["command"][0] in get_command(program).commands  # type: ignore[attr-defined]
    environment = {name: str(value) for name, value in service["environment"].items()}
    settings = load_settings(environment, **{key.removeprefix(PREFIX).lower(): value or None for key, value in environment.items()})
    assert settings.log_url
    assert settings.kafka


def test_no_two_processes_share_a_folder_or_a_port(compose: dict[str, Any]) -> None:
    services = [compose["services"][name] for name in NODES]
    folders = [volume for service in services for volume in service["volumes"]]
    ports = [service["environment"][name] for service in services for name in service["environment"] if name.endswith("_PORT")]
    assert len(set(folders)) == len(folders) == len(NODES)
    assert len(set(ports)) == len(ports) == len(NODES)
    assert {folder.split(":")[0] for folder in folders} <= compose["volumes"].keys()


def test_files_that_are_named_are_there(root: Path, compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            place = volume.split(":")[0]
            assert place in compose["volumes"] or (root / "deploy" / place).is_file()
    build = compose["services"]["api-1"]["build"]
    assert (root / "deploy" / build["context"] / build["dockerfile"]).is_file()


def test_what_runs_in_containers_is_what_tests_run_against(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert compose["services"]["postgres"]["image"] == "postgres:18"


def test_the_image_takes_libraries_by_hash_and_runs_as_nobody_special(root: Path) -> None:
    dockerfile = (root / "deploy" / "Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER daybook$", dockerfile, re.MULTILINE)
