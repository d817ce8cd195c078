"""Files to send into a log: NDJSON of commands that give every id and every moment, so that two runs can be compared."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from tests.faults.clients import STAGES

BEGINNING: Final = datetime(2025, 1, 1, 8, tzinfo=UTC)


def write_stories(path: Path, stories: int, *, name: str) -> Path:
    """`stories` customers with a deal and calls each, 8 lines a customer; one line in a hundred is refused or no JSON."""
    draw = random.Random(name)
    with path.open("wb") as file:
        lines = (line for number in range(stories) for line in _story(number, name, draw))
        for number, line in enumerate((_pipeline(name), *lines)):
            command_id = {"command_id": f"{name}-{number}"}
            file.write(orjson.dumps({**line, **command_id}) + b"\n")
            if number % 200 == 100:
                file.write(b'{"command": "win_opportunity", "data": {\n')
            if number % 200 == 150:
                unknown = {"opportunity_id": {"source": name, "id": "nobody"}}
                file.write(orjson.dumps({"command": "win_opportunity", "command_id": f"{name}-unknown-{number}", "data": unknown}) + b"\n")
    return path


def _pipeline(name: str) -> dict[str, Any]:
    stages = [*({"name": stage} for stage in STAGES), {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    data = {"pipeline_id": str(_id(random.Random(f"pipeline {name}"))), "name": f"Pipeline {name}", "stages": stages}
    return {"command": "define_pipeline", "occurred_at": BEGINNING.isoformat(), "data": data}


def _story(number: int, name: str, draw: random.Random) -> Iterator[dict[str, Any]]:
    known = {"customer_id": {"source": name, "id": f"customer {number}"} if number % 2 else str(_id(draw))}
    deal = {"opportunity_id": str(_id(draw))}
    pipeline = str(_id(random.Random(f"pipeline {name}")))
    at = BEGINNING + timedelta(hours=number % 9000)
    yield _line("register_customer", at, {**known, "name": f"Customer {number}", "kind": "person" if number % 3 else "company"})
    worth = {"name": f"Deal {number}", "owner_id": "user.1", "amount": str(draw.randint(1, 100_000))}
    yield _line("open_opportunity", at, {**deal, **known, **worth, "pipeline_id": pipeline})
    for _ in range(3):
        at += timedelta(minutes=draw.randint(1, 5_000))
        call = {"interaction_id": str(_id(draw)), "kind": "call", "direction": "outbound", "summary": f"What was said {draw.random()}"}
        yield _line("log_interaction", at, {**call, **known})
    for stage in draw.sample(STAGES[1:], 2):
        at += timedelta(minutes=draw.randint(1, 5_000))
        yield _line("move_opportunity", at, {**deal, "to_stage": stage})
    # What is reported may break a rule: a deal that was lost already is won.
    yield {**_line(draw.choice(("win_opportunity", "lose_opportunity")), at, deal), "report": True}


def _line(command: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {"command": command, "occurred_at": at.isoformat(), "data": data}


def _id(draw: random.Random) -> UUID:
    return UUID(int=draw.getrandbits(128), version=4)
