"""Erasing a person reaches every copy: whoever has all files, all tables and all keys finds nothing of them, and every total is what it was."""

import json
import re
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.sql import SQL, Identifier
from starlette.testclient import TestClient

from api.app import create_app
from api.auditing import key_of, place_of
from api.folder import Folder
from api.imports.runner import run_import
from api.settings import Settings, load_settings
from api.wiring import Daybook, open_daybook
from bus.cipher import parse
from bus.keystore import open_vault
from bus.vault import Vault, master_key
from domain.errors import CorruptHistory
from replay.audit.verification import Outside, verify
from tests.commands.orders import ext

NAMES: Final = ("Wilhelmina Ödegård-Quast", "wilhelmina.quast@example.org", "+4930901820", "Sperlingsgasse 17¾", "Przewalski horses")
TOKEN: Final = re.compile(rb"~[a-z_]+~[A-Za-z0-9_-]{80,}")
MAPPING: Final = """
name = "people"
time_zone = "UTC"
[files.people]
pattern = "people.csv"
[[rows]]
file = "people"
id = "{id}"
occurred_at = "{since}"
[[rows.commands]]
command = "register_customer"
data = { customer_id = { ref = "{id}" }, name = "{name}", kind = "person", email = "{email}", street = "{street}" }
"""


@pytest.fixture(params=["files", "postgres"])
def settings(request: pytest.FixtureRequest, data_folder: Path) -> Settings:
    if request.param == "files":
        return load_settings({}, data=data_folder, max_wait_seconds=30.0)
    url: str = request.getfixturevalue("postgres_url")
    return load_settings({}, data=data_folder, log_url=url, lookups_url=url, keys_url=url, max_wait_seconds=30.0)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Daybook, TestClient]]:
    with open_daybook(settings, follow=True) as daybook, TestClient(create_app(daybook), base_url="http://127.0.0.1") as http:
        yield daybook, http


def give(http: TestClient, command: str, **data: Any) -> str:
    answer = http.post(f"/v1/commands/{command}", json=data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["stream_id"])


def got(http: TestClient, path: str, **parameters: Any) -> Any:
    answer = http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def fill(daybook: Daybook, http: TestClient, folder: Path) -> dict[str, str]:
    """A person who is a contact and one who is a customer, both by the same name, through every door; what each is known by."""
    name, email, phone, street, liking = NAMES
    stages = [{"name": "Lead"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    pipeline = give(http, "define_pipeline", name="Sales", stages=stages)
    firm = give(http, "register_customer", customer_id=ext("acme"), name="Acme", owner_id="ana")
    contact = give(http, "add_contact", contact_id=ext("w"), customer_id=firm, name=name, email=email, phone=phone, primary=True)
    give(http, "change_contact_details", contact_id=contact, title="Head of purchasing")
    deal = give(http, "open_opportunity", customer_id=firm, pipeline_id=pipeline, name="Stables", amount="900.00", owner_id="ana")
    give(http, "link_contact_to_opportunity", opportunity_id=deal, contact_id=contact, role="buyer")
    give(http, "win_opportunity", opportunity_id=deal)
    request = give(
        http, "open_request", customer_id=firm, contact_id=contact, subject=f"{name} asks", description=f"for {liking}", channel="email"
    )
    talk = {"customer_id": firm, "contact_id": contact, "kind": "call", "direction": "inbound"}
    call = give(http, "log_interaction", **talk, subject=liking, summary=f"Call {phone}", participants=[name])
    give(http, "correct_interaction", interaction_id=call, summary=f"{name} of {street}")
    give(http, "record_survey_answer", request_id=request, kind="csat", score=5, comment=f"{liking}!")
    (folder / "people.toml").write_text(MAPPING, encoding="utf-8")
    rows = f"id,name,email,street,since\n7,{name},{email},{street},2020-01-01\n8,Other Person,o@example.org,Elsewhere 1,2020-01-01\n"
    (folder / "people.csv").write_text(rows, encoding="utf-8")
    books = daybook.books
    summary = run_import(folder / "people.toml", [folder / "people.csv"], log=books.log, dispatcher=books.decides_on, actor="user:t")
    assert summary.refused == 0
    for left in ("people.toml", "people.csv"):
        (folder / left).unlink()
    person = got(http, "/v1/customers", external_source="people", external_id="7", at_least=books.log.head())["items"][0]["customer_id"]
    lines = [
        {"command": "note_customer_preferences", "data": {"customer_id": person, "note": liking, "language": "de"}},
        {"command": "set_customer_field", "data": {"customer_id": person, "field": "pets", "value": liking, "personal": True}},
        {"command": "send_survey", "data": {"survey_id": ext("nps"), "customer_id": person, "kind": "nps"}},
        {"command": "answer_survey", "data": {"survey_id": ext("nps"), "score": 10, "comment": f"{name} likes it"}},
        {"command": "open_request", "data": {"customer_id": person, "subject": f"{street} {phone}", "channel": "phone"}},
    ]
    told = http.post("/v1/commands", content="\n".join(map(json.dumps, lines)), headers={"content-type": "application/x-ndjson"})
    assert all("receipt" in json.loads(line) for line in told.text.splitlines()), told.text
    return {"contact": contact, "customer": person, "firm": firm, "pipeline": pipeline, "request": request, "interaction": call}


def erase(http: TestClient, kind: str, person: str) -> dict[str, Any]:
    return http.post(f"/v1/commands/erase_{kind}", json={f"{kind}_id": person, "legal_basis": "objection"}).json()


def tables(url: str) -> dict[str, bytes]:
    """Every table of a database, as its own binary dump."""
    dumped: dict[str, bytes] = {}
    with psycopg.connect(url) as connection:
        ours = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT LIKE ALL (ARRAY['pg_catalog', 'information_schema'])"
        for schema, table in connection.execute(ours).fetchall():
            with connection.cursor().copy(SQL("COPY {} TO STDOUT (FORMAT binary)").format(Identifier(schema, table))) as copy:
                dumped[f"{schema}.{table}"] = b"".join(bytes(part) for part in copy)
    return dumped


def contents(settings: Settings) -> dict[str, bytes]:
    """Every byte of the folder, with what is packed in it, and of every table of the database."""
    found = {str(path): path.read_bytes() for path in settings.data.rglob("*") if path.is_file()}
    found |= {f"{path} read": str(pq.read_table(path).to_pylist()).encode() for path in settings.data.rglob("*.parquet")}
    return found | (tables(settings.log_url.get_secret_value()) if settings.log_url else {})


def forms(text: str) -> Iterator[bytes]:
    """However a text may be written."""
    raw = text.encode()
    yield from (raw, raw.lower(), raw.hex().encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("utf-32-le"))
    yield from (json.dumps(text)[1:-1].encode(), text.encode("unicode_escape"), text.encode("latin-1", "ignore"))
    yield from (b64encode(bytes(shift) + raw)[4:][: 4 * (len(raw) // 3 - 1)] for shift in range(3))


def plaintexts(found: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Where anything that identifies the person stands."""
    return [(place, name) for place, raw in found.items() for name in NAMES if any(form in raw for form in forms(name))]


def tokens_of(found: Mapping[str, bytes], persons: set[bytes]) -> list[str]:
    """All ciphertext of these persons, wherever it stands."""
    tokens: list[str] = []
    for raw in found.values():
        for each in TOKEN.findall(raw):
            try:
                tokens += [each.decode()] if parse(each.decode()).person in persons else []
            except CorruptHistory:
                continue
    return tokens


def readable(vault: Vault, tokens: list[str]) -> set[str]:
    """What can be read of tokens; those that a page's end cut in two cannot be."""
    texts: set[str] = set()
    for token in tokens:
        with suppress(CorruptHistory):
            texts |= {text} if (text := vault.decrypt(token)) is not None else set()
    return texts


def wrapped(settings: Settings, persons: set[bytes]) -> list[bytes]:
    """The persons' keys as they are stored."""
    if settings.keys_url is not None:
        with psycopg.connect(settings.keys_url.get_secret_value()) as connection:
            rows = connection.execute("SELECT person, wrapped FROM daybook_keys.persons").fetchall()
    else:
        with closing(sqlite3.connect(Folder(settings.data).keys)) as connection:
            rows = connection.execute("SELECT person, wrapped FROM persons").fetchall()
    return [bytes(key) for person, key in rows if bytes(person) in persons and key is not None]


def totals(http: TestClient, ids: Mapping[str, str], position: int) -> dict[str, Any]:
    """Every figure that counts what the persons did."""
    firm = got(http, f"/v1/customers/{ids['firm']}", at_least=position)
    person = got(http, f"/v1/customers/{ids['customer']}")
    counted = {name: (firm[name]["count"], person[name]["count"]) for name in ("contacts", "deals", "requests", "interactions")}
    return {
        "counted": counted,
        "satisfaction": (firm["satisfaction"], person["satisfaction"]),
        "funnel": got(http, "/v1/funnel", at_least=position),
        "csat": got(http, "/v1/satisfaction", survey="csat", at_least=position),
        "nps": got(http, "/v1/satisfaction", survey="nps", at_least=position),
        "worth": firm["deals"]["won_revenue"],
    }


def rows(http: TestClient, position: int = 0) -> dict[str, Any]:
    """Every list of records whole."""
    names = ("customers", "contacts", "opportunities", "requests", "interactions", "surveys", "pipelines")
    return {name: got(http, f"/v1/{name}", limit=100, at_least=position)["items"] for name in names}


def test_nothing_of_an_erased_person_is_left_anywhere(settings: Settings, tmp_path: Path) -> None:
    with opened(settings) as (daybook, http):
        ids = fill(daybook, http, tmp_path)
        persons = {UUID(ids[kind]).bytes for kind in ("contact", "customer")}
        before = totals(http, ids, daybook.books.log.head())
        checkpoint = http.get("/v1/audit/checkpoint").text
        http.post("/v1/archive", json={}).raise_for_status()
        assert list(settings.data.rglob("*.parquet"))
        keys = wrapped(settings, persons)
        assert len(keys) == 2
        assert before["counted"]["interactions"] == (1, 0)
    copy = contents(settings)
    shutil.copytree(settings.data, tmp_path / "copy")
    with opened(settings) as (daybook, http):
        assert {NAMES[0], NAMES[1], NAMES[2]} < readable(daybook.books.vault, tokens_of(copy, persons))
        for kind in ("contact", "customer"):
            receipt = erase(http, kind, ids[kind])
            assert receipt["event_ids"]
            assert erase(http, kind, ids[kind])["event_ids"] == []
        http.post("/v1/archive", json={}).raise_for_status()
        assert totals(http, ids, daybook.books.log.head()) == before
        serving = contents(settings)
        assert plaintexts(serving) == []
        assert readable(daybook.books.vault, tokens_of(serving | copy, persons)) == set()
        live = rows(http, daybook.books.log.head())
        http.post("/v1/rebuild", json={}).raise_for_status()
        assert rows(http) == live
        consistency = {"from": checkpoint.split("\n")[1]}
        assert got(http, "/v1/audit/proof/consistency", **consistency)["from"] > 0
    for found in (contents(settings), copy):
        assert plaintexts(found) == []
    assert not [place for place, raw in contents(settings).items() if any(key in raw for key in keys)]
    place = settings.keys_url.get_secret_value() if settings.keys_url else Folder(settings.data).keys
    with closing(open_vault(place, master_key(Folder(settings.data).master_key))) as vault:
        assert tokens_of(contents(settings), persons)
        assert readable(vault, tokens_of(contents(settings) | copy, persons)) == set()
    outside = Outside(keys=[key_of(settings).public], checkpoints={"kept": checkpoint})
    assert verify(place_of(settings), Folder(settings.data).audit, outside).sound


def test_every_read_shows_erased_persons_as_erased(settings: Settings, tmp_path: Path) -> None:
    with opened(settings) as (daybook, http):
        ids = fill(daybook, http, tmp_path)
        [last] = daybook.books.log.read(daybook.books.log.head() - 1, 1)
        erase(http, "contact", ids["contact"])
        erase(http, "customer", ids["customer"])
        head = daybook.books.log.head()
        past = got(http, f"/v1/customers/{ids['customer']}", known_at=last.recorded_at)
        assert (past["name"], past["email"], past["erased_at"], past["erased"]) == (None, None, None, True)
        before = got(http, f"/v1/contacts/{ids['contact']}", known_at=last.recorded_at)
        assert (before["name"], before["is_primary"], before["erased"]) == (None, True, True)
        firm = got(http, f"/v1/customers/{ids['firm']}", at_least=head)
        [contact] = firm["contacts"]["people"]
        assert (contact["name"], contact["email"], contact["phone"], contact["erased"]) == (None, None, None, True)
        assert (contact["title"], contact["is_primary"], firm["contacts"]["primary_contact_id"]) == ("Head of purchasing", False, None)
        person = got(http, f"/v1/customers/{ids['customer']}")
        assert (person["name"], person["email"], person["address"]["street"], person["erased"]) == (None, None, None, True)
        assert person["custom_fields"][0]["value"] is None
        assert person["preferences"] == {"language": "de", "channel": None, "time_zone": None, "note": None}
        for customer in ("firm", "customer"):
            timeline = got(http, f"/v1/customers/{ids[customer]}/timeline", limit=100, at_least=head)["items"]
            assert any("erased" in event["says"] for event in timeline)
        comments = got(http, "/v1/satisfaction/comments", survey="csat")["items"]
        assert [(each["comment"], each["erased"]) for each in comments] == [(None, True)]
        request = got(http, f"/v1/requests/{ids['request']}")
        assert (request["subject"], request["erased"]) == (None, True)
        events = got(http, "/v1/events", limit=1000)["events"]
        report = http.get(f"/v1/audit/customers/{ids['firm']}/report").text
        queue = got(http, "/v1/queue")
        board = got(http, "/v1/board")
        everything = json.dumps([past, before, events, report, queue, board, rows(http), comments, firm, person], ensure_ascii=False)
        assert not [name for name in NAMES if name in everything]


def test_a_persons_holdings_are_counted_before_and_after(settings: Settings, tmp_path: Path) -> None:
    with opened(settings) as (daybook, http):
        ids = fill(daybook, http, tmp_path)
        before = got(http, f"/v1/persons/{ids['contact']}")
        assert (before["kind"], before["erased_at"]) == ("contact", None)
        assert {each["kind"]: each["count"] for each in before["records"]} == {
            "contact": 1,
            "interaction": 1,
            "opportunity": 1,
            "request": 1,
            "survey": 1,
        }
        texts = {each["of"]: each["count"] for each in before["texts"]}
        assert texts["contact name"] == 2
        assert texts["interaction summary"] == 3
        erase(http, "contact", ids["contact"])
        after = got(http, f"/v1/persons/{ids['contact']}")
        assert after["erased_at"] is not None
        assert {each["of"]: each["count"] for each in after["texts"]} == texts


def test_an_export_holds_everything_of_the_person_and_nothing_of_others(settings: Settings, tmp_path: Path) -> None:
    with opened(settings) as (daybook, http):
        ids = fill(daybook, http, tmp_path)
        give(http, "add_contact", customer_id=ids["customer"], name="Somebody Else")
        asked = {"requested_on": "2026-03-01"}
        dossier = http.post(f"/v1/persons/{ids['customer']}/export", json=asked).json()
        told = json.dumps(dossier, ensure_ascii=False)
        name, email, phone, street, liking = NAMES
        assert [text for text in (name, email, phone, street, liking) if text not in told] == []
        assert "Somebody Else" not in told
        assert dossier["known"]["person_name"] == name
        assert dossier["known"]["custom field pets"] == liking
        assert any(event["of_others"] == ["name"] for event in dossier["events"])
        [noted] = [event for event in daybook.books.log.read(dossier["upto"], 100) if event.type == "customer.access_exported"]
        assert noted.data["events"] == len(dossier["events"])
        assert noted.data["requested_on"] == "2026-03-01"
        erase(http, "customer", ids["customer"])
        after = http.post(f"/v1/persons/{ids['customer']}/export", json={}).json()
        assert not [text for text in NAMES if text in json.dumps(after, ensure_ascii=False)]
        assert after["erased_at"] is not None


def test_who_is_unknown_or_a_company_is_no_person(settings: Settings, tmp_path: Path) -> None:
    with opened(settings) as (daybook, http):
        ids = fill(daybook, http, tmp_path)
        unknown = uuid4()
        assert http.get(f"/v1/persons/{unknown}").json()["code"] == "person.unknown"
        assert http.post(f"/v1/persons/{unknown}/export", json={}).status_code == 404
        assert erase(http, "contact", str(unknown))["code"] == "contact.unknown"
        assert http.get(f"/v1/persons/{ids['request']}").status_code == 404
        assert http.get(f"/v1/persons/{ids['firm']}").json()["code"] == "customer.not_a_person"
        assert daybook.books.log.head() > 0


def test_a_restored_older_copy_does_not_bring_an_erased_person_back(data_folder: Path, tmp_path: Path) -> None:
    """Log, keys and read models come back as they were before; only the list of erasures is of today."""
    settings = load_settings({}, data=data_folder, max_wait_seconds=30.0)
    with opened(settings) as (daybook, http):
        ids = fill(daybook, http, tmp_path)
    older = tmp_path / "older"
    shutil.copytree(settings.data, older)
    with opened(settings) as (daybook, http):
        later = give(http, "add_contact", customer_id=ids["firm"], name="Later Person")
        for kind, person in (("contact", ids["contact"]), ("customer", ids["customer"]), ("contact", later)):
            erase(http, kind, person)
        [told] = [event for event in daybook.books.log.read(0, 1000) if event.type == "customer.erased"]
    shutil.copyfile(Folder(settings.data).erasures, older / "erasures.jsonl")
    for _ in range(2):
        with opened(load_settings({}, data=older, max_wait_seconds=30.0)) as (daybook, http):
            head = daybook.books.log.head()
            assert got(http, f"/v1/contacts/{ids['contact']}", at_least=head)["erased"]
            person = got(http, f"/v1/customers/{ids['customer']}")
            assert (person["name"], person["erased_at"]) == (None, told.occurred_at)
            proofs = [event for event in daybook.books.log.read(0, 1000) if event.type.endswith(".erased")]
            assert [(proof.stream_id, proof.actor) for proof in proofs] == [
                (ids[kind], "rule:erasures") for kind in ("contact", "customer")
            ]
            refused = http.post("/v1/commands/rename_customer", json={"customer_id": ids["customer"], "name": NAMES[0]})
            assert refused.json()["code"] == "person.erased"
            assert readable(daybook.books.vault, tokens_of(contents(daybook.settings), {UUID(ids["contact"]).bytes})) == set()


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("gone", ["first", "second"])
def test_a_text_that_went_from_one_contact_to_another_goes_with_whom_it_is_about(data_folder: Path, gone: str, *, restarted: bool) -> None:
    """What it says now belongs to whom it is with now, what it said before to whom it was with; whether or not it is still in memory."""
    settings = load_settings({}, data=data_folder, max_wait_seconds=30.0)
    with opened(settings) as (_, http):
        firm = give(http, "register_customer", name="Acme")
        people = {name: give(http, "add_contact", customer_id=firm, name=name) for name in ("first", "second")}
        told = {"customer_id": firm, "kind": "call", "direction": "inbound", "summary": "likes herons"}
        call = give(http, "log_interaction", contact_id=people["first"], **told)
        if not restarted:
            give(http, "correct_interaction", interaction_id=call, contact_id=people["second"])
    with opened(settings) as (daybook, http):
        if restarted:
            give(http, "correct_interaction", interaction_id=call, contact_id=people["second"])
        give(http, "correct_interaction", interaction_id=call, duration_seconds=60)
        last = daybook.books.log.read_stream(UUID(call))[-1].data
        assert [parse(last[name]).person for name in ("summary", "previous_summary")] == [UUID(people["second"]).bytes] * 2
        erase(http, "contact", people[gone])
        head = daybook.books.log.head()
        events = {event["version"]: event["data"] for event in got(http, f"/v1/streams/{call}")["events"]}
        read = got(http, f"/v1/interactions/{call}", at_least=head)["summary"]
        readable_now = (events[1]["summary"], events[2]["previous_summary"], events[2]["summary"], events[3]["summary"], read)
        herons = "likes herons"
        assert readable_now == ((None, None, herons, herons, herons) if gone == "first" else (herons, herons, None, None, None))
