"""A customer's history is whole, readable and proven; the verifier takes it without Daybook, and notices whatever was changed in it."""

import ast
import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from api.auditing import open_auditor, page
from api.settings import load_settings
from api.wiring import Books, open_books
from commands.order import Receipt
from domain.errors import NotFound
from replay.audit import verifier
from replay.audit.auditor import Auditor
from replay.audit.view import Telling
from tests.commands.orders import ext, order, receipt

Data = dict[str, Any]
PLAIN = {"personal": False, "erased": False}


class Office:
    """A Daybook with its audit."""

    def __init__(self, books: Books, auditor: Auditor) -> None:
        self.books = books
        self.auditor = auditor

    def give(self, name: str, /, **data: Any) -> Receipt:
        return receipt(self.books.dispatcher.execute([order(name, **data)])[0])

    def history(self, customer_id: UUID | str, *, personal: bool = True, older: tuple[int, ...] = ()) -> Data:
        telling = Telling(histories=self.books.log, decrypt=self.books.vault.decrypt_all if personal else None)
        told = self.auditor.customer(str(customer_id), telling, older)
        return cast("Data", json.loads(json.dumps(told)))


@pytest.fixture
def office(data_folder: Path) -> Iterator[Office]:
    settings = load_settings({}, data=data_folder)
    with ExitStack() as stack:
        books = stack.enter_context(open_books(settings))
        yield Office(books, stack.enter_context(open_auditor(settings, books.log, follow=False)))


@pytest.fixture
def ada(office: Office) -> UUID:
    """A person with a deal, among others."""
    office.give("register_customer", kind="company", name="Somebody else", customer_id=ext(1))
    ada = office.give("register_customer", kind="person", name="Ada <Lovelace>", customer_id=ext(2)).stream_id
    office.give("change_customer_contact_details", customer_id=str(ada), email="ada@example.org")
    stages = [
        {"name": "new", "status": "open"},
        {"name": "offer", "status": "open"},
        {"name": "won", "status": "won"},
        {"name": "lost", "status": "lost"},
    ]
    pipeline = office.give("define_pipeline", name="Sales", stages=stages).stream_id
    deal = office.give(
        "open_opportunity", customer_id=str(ada), pipeline_id=str(pipeline), name="Engine", amount="100.00", currency="EUR", owner_id="kim"
    ).stream_id
    office.give("move_opportunity", opportunity_id=str(deal), to_stage="offer")
    office.give("win_opportunity", opportunity_id=str(deal))
    return ada


def shown(office: Office, customer: UUID, **options: Any) -> list[str]:
    history = office.history(customer, **options)
    return verifier.verify(history, history["key"], [])


def test_every_event_of_the_customer_is_told_with_before_and_after(office: Office, ada: UUID) -> None:
    history = office.history(ada)
    assert [event["type"] for event in history["events"]] == [
        event.type for event in office.books.log.read(0, 1000) if str(ada) in (event.stream_id, event.data.get("customer_id"))
    ]
    moved = next(event for event in history["events"] if event["type"] == "opportunity.stage_changed")
    assert {**PLAIN, "field": "stage", "before": "new", "after": "offer"} in moved["changes"]
    won = next(event for event in history["events"] if event["type"] == "opportunity.won")
    assert {**PLAIN, "field": "status", "before": "open", "after": "won"} in won["changes"]
    assert (won["actor"], won["source"]) == ("user:test", "test")
    assert "Ada <Lovelace>" in history["events"][0]["says"]


def test_it_verifies(office: Office, ada: UUID) -> None:
    assert shown(office, ada)[1].startswith(f"{len(office.history(ada)['events'])} events")


def test_older_checkpoints_are_shown_to_be_of_the_same_history(office: Office, ada: UUID) -> None:
    notes = []
    for number in range(3):
        notes.append(office.auditor.checkpoint())
        office.give("register_customer", kind="company", name=f"Company {number}")
    history = office.history(ada, older=tuple(int(note.split("\n")[1]) for note in notes))
    assert len(verifier.verify(history, history["key"], notes)) >= 5
    with pytest.raises(verifier.Failed, match="has no proof"):
        verifier.verify({**history, "consistency": []}, history["key"], notes)
    root = notes[0].split("\n")[2]
    forged = office.auditor.key.sign(int(notes[0].split("\n")[1]), bytes(32))
    assert root not in forged
    with pytest.raises(verifier.Failed, match="rewritten"):
        verifier.verify(history, history["key"], [forged])


def test_personal_fields_can_be_left_out(office: Office, ada: UUID) -> None:
    told = json.dumps(office.history(ada, personal=False))
    assert "Lovelace" not in told
    assert "ada@example.org" not in told
    assert any("encrypted" in line for line in shown(office, ada, personal=False))


def test_after_erasure_the_rest_is_told_and_all_of_it_still_verifies(office: Office, ada: UUID) -> None:
    before = office.auditor.checkpoint()
    office.books.vault.forget(ada)
    history = office.history(ada)
    assert "Lovelace" not in json.dumps(history)
    assert history["events"][0]["erased"] == ["person_name"]
    assert verifier.verify(history, history["key"], [before])


@pytest.mark.usefixtures("ada")
def test_an_unknown_customer_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        office.history("00000000-0000-4000-8000-000000000009")


def swap_events(history: Data) -> None:
    history["events"][0], history["events"][1] = history["events"][1], history["events"][0]


def edit(name: str, value: Any) -> Callable[[Data], None]:
    def change(history: Data) -> None:
        history["events"][-1][name] = value

    return change


def edit_data(name: str, value: Any) -> Callable[[Data], None]:
    def change(history: Data) -> None:
        history["events"][-1]["data"][name] = value

    return change


FORGERIES: dict[str, Callable[[Data], None]] = {
    "who": edit("actor", "user:other"),
    "when": edit("occurred_at", "2020-01-01T00:00:00.000000Z"),
    "by which door": edit("source", "import"),
    "what": edit("type", "opportunity.lost"),
    "whose": edit("stream_id", "00000000-0000-4000-8000-000000000009"),
    "version": edit("version", 1),
    "place": edit("position", 2),
    "no proof": edit("proof", []),
    "a field": edit_data("from_stage", "new"),
    "a field too many": edit_data("discount", "10"),
    "a field too few": lambda history: history["events"][-1]["data"].pop("from_stage"),
    "a plain field said to be personal": edit("personal", ["from_stage"]),
    "the stored bytes": lambda history: history["events"][-1].update(entry=history["events"][-1]["entry"].replace("offer", "wonder")),
    "another checkpoint": lambda history: history.update(checkpoint=history["checkpoint"].replace("\n", "\n1", 1)),
    "twice": lambda history: history["events"].append(history["events"][-1]),
    "another order": swap_events,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_history_does_not_verify(office: Office, ada: UUID, forge: Callable[[Data], None]) -> None:
    history = office.history(ada)
    forged = copy.deepcopy(history)
    forge(forged)
    with pytest.raises(verifier.Failed):
        verifier.verify(forged, history["key"], [])


def test_an_event_that_was_left_out_shows_as_a_gap(office: Office, ada: UUID) -> None:
    history = office.history(ada)
    left_out = history["events"].pop(-2)
    expected = f"note: record {left_out['stream_id']}: 1 of its first 3 events are not in this history"
    assert expected in verifier.verify(history, history["key"], [])


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verifier as an auditor has it: a file, no installed packages."""
    command = [sys.executable, "-I", "-S", "verify.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_verifier_stands_alone(office: Office, ada: UUID, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes(Path(verifier.__file__).read_bytes())
    (tmp_path / "old.txt").write_text(office.auditor.checkpoint(), encoding="utf-8")
    office.give("register_customer", kind="company", name="Later")
    history = office.history(ada, older=(int((tmp_path / "old.txt").read_text().split("\n")[1]),))
    (tmp_path / "history.json").write_text(json.dumps(history))
    sound = run(tmp_path, "history.json", "--key", history["key"], "--checkpoint", "old.txt")
    assert (sound.returncode, sound.stdout.splitlines()[-1]) == (0, "all of this holds"), sound.stdout + sound.stderr
    history["events"][0]["actor"] = "user:nobody"
    (tmp_path / "history.json").write_text(json.dumps(history))
    forged = run(tmp_path, "history.json", "--key", history["key"])
    assert forged.returncode == 1
    assert forged.stdout.startswith("FAILED: ")
    (tmp_path / "history.json").write_text("{}")
    assert run(tmp_path, "history.json").returncode == 2


def test_the_verifier_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


class Page(HTMLParser):
    """What a browser would see: tags that must be closed in order, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_a_page_by_itself_in_which_texts_stay_texts(office: Office, ada: UUID) -> None:
    parsed = Page()
    parsed.feed(page(office.history(ada)))
    assert parsed.open == []
    assert "script" not in parsed.seen
    assert "Ada <Lovelace>" in parsed.text
    assert len(re.findall(r"happened", parsed.text)) == len(office.history(ada)["events"])


def changes(history: Data, event_type: str) -> list[list[Data]]:
    return [event["changes"] for event in history["events"] if event["type"] == event_type]


def test_what_was_before_is_known_of_every_field(office: Office, ada: UUID) -> None:
    office.give("change_customer_contact_details", customer_id=str(ada), email="countess@example.org", website="https://example.org")
    first, second = changes(office.history(ada), "customer.contact_details_changed")
    assert first == [{"field": "email", "before": None, "after": "ada@example.org", "personal": True, "erased": False}]
    assert second == [
        {"field": "email", "before": "ada@example.org", "after": "countess@example.org", "personal": True, "erased": False},
        {"field": "website", "before": None, "after": "https://example.org", "personal": True, "erased": False},
    ]


def test_that_a_personal_field_changed_is_told_whoever_may_not_read_it(office: Office, ada: UUID) -> None:
    shown = changes(office.history(ada, personal=False), "customer.contact_details_changed")
    assert shown == [[{"field": "email", "before": None, "after": None, "personal": True, "erased": False}]]
    assert "(left out)" in page(office.history(ada, personal=False))
    office.books.vault.forget(ada)
    forgotten = changes(office.history(ada), "customer.contact_details_changed")
    assert forgotten == [[{"field": "email", "before": None, "after": None, "personal": True, "erased": True}]]
    assert "(erased)" in page(office.history(ada))
