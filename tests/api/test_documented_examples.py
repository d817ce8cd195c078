"""The examples in docs/http.md and docs/command-line.md are what really happens."""

import json
import re
from pathlib import Path

from starlette.testclient import TestClient


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_command_in_the_example_is_accepted_with_such_a_receipt(http: TestClient, root: Path) -> None:
    page = root / "docs" / "http.md"
    head, body = blocks(page, "http")[0].split("\n\n", 1)
    request, *headers = head.splitlines()
    method, path = request.split()
    answer = http.request(method, path, content=body.encode(), headers=dict(line.split(": ", 1) for line in headers))
    assert answer.status_code == 200, answer.text
    receipt = next(json.loads(block) for block in blocks(page, "json") if "event_ids" in block)
    assert set(receipt) == set(answer.json())
    assert receipt["command_id"] == answer.json()["command_id"]


def test_the_refusal_in_the_example_has_the_members_that_it_shows(http: TestClient, root: Path) -> None:
    shown = next(json.loads(block) for block in blocks(root / "docs" / "http.md", "json") if "urn:daybook" in block)
    missing = "00000000-0000-4000-8000-000000000000"
    refused = http.post("/v1/commands/win_opportunity", json={"opportunity_id": missing}, headers={"Idempotency-Key": "k"}).json()
    assert set(shown) == set(refused)


def test_the_lines_in_the_examples_are_understood(http: TestClient, root: Path) -> None:
    for page in ("http.md", "command-line.md"):
        line = next(block for block in blocks(root / "docs" / page, "json") if '"command":' in block)
        told = http.post("/v1/commands", content=line.replace("…", "x").encode(), headers={"content-type": "application/x-ndjson"})
        assert json.loads(told.text)["problem"]["code"] in {"command.invalid", "customer.unknown"}
