"""A table refuses what one event makes: its fold stops there and says so, the others go on, and after the fix a retry folds what was left out."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from api.settings import load_settings
from api.wiring import open_books
from readmodels.layout import State
from tests.faults.commands import start
from tests.faults.fleet import Fleet, fleet, until
from tests.faults.server import Server
from tests.faults.shared_lookups import Lookups, lookups
from tests.held import Held
from tests.kafka_broker.broker import Broker

PARTITIONS = 3
FOLD = "customer_360"
REFUSING = """
    CREATE FUNCTION lookups.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.customer_id::text = '{customer}' THEN RAISE EXCEPTION 'this row cannot be taken'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON lookups."{table}" FOR EACH ROW EXECUTE FUNCTION lookups.refuse();
"""
MENDED = "DROP FUNCTION lookups.refuse() CASCADE"


def register(server: Server, customer: str, name: str) -> int:
    """The position of a customer's first event."""
    body = json.dumps({"customer_id": customer, "name": name}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
    status, answer = server.ask("POST", "/v1/commands/register_customer", body, headers)
    assert status == 200, answer
    return json.loads(answer)["position"]


def stopped(server: Server) -> dict[str, Any]:
    """What a server says of the fold."""
    (found,) = (fold for fold in server.get("/v1/folds")["folds"] if (fold["fold"], fold["home"]) == (FOLD, "lookups"))
    return found


def positions(seen: Lookups) -> dict[str, int]:
    return {version.fold: version.position for version in seen.serving()}


def execute(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


@pytest.mark.timeout(600)
def test_a_fold_that_fails_on_an_event_stops_alone_and_folds_it_when_it_is_retried_after_the_fix(
    tmp_path: Path, postgres_url: str, kafka_server: Broker, held: Held
) -> None:
    with fleet(tmp_path, postgres_url, kafka_server, partitions=PARTITIONS) as there, lookups(postgres_url) as seen:
        there.worker("one")
        until(lambda: bool(seen.serving()), lambda: there.last_words("one"))
        there.publisher()
        there.worker("other")
        server = there.server("server")
        try:
            server.started()
            _poisoned(there, server, seen, postgres_url, held)
        finally:
            server.kill()


def _poisoned(there: Fleet, server: Server, seen: Lookups, url: str, held: Held) -> None:
    customers = [str(uuid4()) for _ in range(60)]
    for number, customer in enumerate(customers[:20]):
        first = register(server, customer, f"Company {number}")
    until(lambda: set(positions(seen).values()) == {first}, lambda: positions(seen))
    table = next(f"{each.fold}__{each.number}" for each in seen.serving() if each.fold == FOLD)
    execute(url, REFUSING.format(customer=customers[20], table=table))
    bad = register(server, customers[20], "Poison")
    for number, customer in enumerate(customers[21:40]):
        last = register(server, customer, f"Later {number}")

    others = {fold for fold in positions(seen) if fold != FOLD}
    until(lambda: {positions(seen)[fold] for fold in others} == {last}, lambda: positions(seen))
    until(lambda: bool(stopped(server)["error"]), lambda: stopped(server))
    assert stopped(server)["error_position"] == bad
    assert "this row cannot be taken" in stopped(server)["error"]
    assert first <= positions(seen)[FOLD] < bad
    assert server.get("/health", any_status=True)["status"] != "ok"

    there.kill("one")  # whoever comes later leaves it as it is
    there.worker("third")
    for number, customer in enumerate(customers[40:]):
        last = register(server, customer, f"Last {number}")
    until(lambda: {positions(seen)[fold] for fold in others} == {last}, lambda: positions(seen))
    (kept,) = (version for version in seen.engine.tables.versions() if version.fold == FOLD and version.state is State.SERVING)
    assert (kept.error_position, first <= kept.position < bad) == (bad, True)

    execute(url, MENDED)
    retried = start(server.data, "retry", FOLD, output=there.folder / "retry.txt", settings=there.settings)
    assert retried.wait(60) == 0, (there.folder / "retry.txt").read_text()
    until(lambda: set(positions(seen).values()) == {last}, lambda: positions(seen))
    until(lambda: server.get("/health", any_status=True)["status"] == "ok", lambda: server.get("/health", any_status=True))
    with open_books(load_settings({}, data=server.data, **there.settings)) as books:
        assert not seen.misplaced(last, PARTITIONS)
        rows, apart = seen.unlike_embedded(books.log)
    assert not apart
    held(
        f"{FOLD} stopped before position {bad} and kept its place, {len(others)} others went on to {last}; after the fix a retry folded the rest: "
        f"{rows} rows of lookups like an embedded rebuild"
    )
