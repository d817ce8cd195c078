"""H10: a person is forgotten for real: unreadable in the log, in every list and in the backup of last week, while all totals stay what they were.

Somebody asks to be forgotten. What is held about them is handed out, then erased; then we look for them in every byte of the
folder, and in a copy that was taken before, with every key there is.

Run it from the repository: python -m examples.h10_erasure
"""

import re
import shutil
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.auditing import key_of
from api.folder import Folder
from api.settings import Settings
from api.wiring import open_daybook
from bus.cipher import parse
from bus.keystore import open_vault
from bus.vault import master_key
from domain.errors import CorruptHistory
from examples.showing import give, say
from replay.audit.verification import Outside, verify

NAME, EMAIL, TELLS = "Edna Krabappel", "edna@springfield.example", "left after the fire drill"
ID, TIME = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}"), re.compile(r"[0-9-]{10}T[0-9:.]+Z")
TOKEN = re.compile(rb"~[a-z_]+~[A-Za-z0-9_-]{80,}")


def make_history(http: TestClient) -> tuple[str, str]:
    """A school with a contact who buys, asks and answers; the school and the contact."""
    stages = [{"name": "offer"}, {"name": "won", "status": "won"}, {"name": "lost", "status": "lost"}]
    pipeline = give(http, "define_pipeline", name="Sales", stages=stages)
    school = give(http, "register_customer", name="Springfield Elementary", owner_id="moses.frase")
    edna = give(http, "add_contact", customer_id=school, name=NAME, email=EMAIL, primary=True)
    deal = give(http, "open_opportunity", customer_id=school, pipeline_id=pipeline, name="Chalk", amount="1200.00", owner_id="moses.frase")
    give(http, "link_contact_to_opportunity", opportunity_id=deal, contact_id=edna, role="buyer")
    give(http, "win_opportunity", opportunity_id=deal)
    request = give(http, "open_request", customer_id=school, contact_id=edna, subject=f"{NAME} is out of chalk", channel="email")
    give(http, "record_survey_answer", request_id=request, kind="csat", score=4, comment=f"I {TELLS}")
    return school, edna


def totals(http: TestClient, school: str, position: int) -> str:
    """What the school came to."""
    profile = http.get(f"/v1/customers/{school}", params={"at_least": position}).json()
    deals, satisfaction = profile["deals"], profile["satisfaction"]["csat"]
    contacts, requests = profile["contacts"]["count"], profile["requests"]["count"]
    return (
        f"{contacts} contact, {deals['won']} deal won for {deals['won_revenue']}, {requests} request, CSAT {satisfaction['percent']:.0f} %"
    )


def search(folder: Path, keys: Settings) -> tuple[int, int, int]:
    """In how many files a plain text stands; how many ciphertexts there are; how many of them can be read with these keys."""
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    plain = sum(any(text.encode() in raw for text in (NAME, EMAIL, TELLS)) for raw in files.values())
    tokens = {token.decode() for raw in files.values() for token in TOKEN.findall(raw)}
    read = 0
    place = Folder(keys.data)
    with closing(open_vault(place.keys, master_key(place.master_key))) as vault:
        whole = 0
        for token in tokens:
            with suppress(CorruptHistory):  # cut in two by the end of a page
                parse(token)
                read += vault.decrypt(token) is not None
                whole += 1
    return plain, whole, read


def tell(where: str, found: tuple[int, int, int]) -> None:
    """What a search found."""
    plain, tokens, read = found
    say(f"  {where}: {plain} files with a plain text; ciphertexts: {'some' if tokens else 'none'}, readable: {'some' if read else 'none'}")


def shown(event: Mapping[str, Any]) -> str:
    """An event as a person reads it, without what differs each time this is run."""
    return f"  {event['position']:>2} {TIME.sub('(a time)', ID.sub('(an id)', event['says']))}"


def main() -> None:
    """Show it."""
    with TemporaryDirectory(prefix="daybook-h10-") as name:
        settings = Settings(data=Path(name) / "data")
        backup = Path(name) / "backup"
        with open_daybook(settings) as daybook, TestClient(create_app(daybook), base_url="http://127.0.0.1") as http:
            school, edna = make_history(http)
            before = totals(http, school, daybook.books.log.head())
            checkpoint = http.get("/v1/audit/checkpoint").text
        shutil.copytree(settings.data, backup)
        say("Before:", before)
        tell("the folder", search(settings.data, settings))

        with open_daybook(settings) as daybook, TestClient(create_app(daybook), base_url="http://127.0.0.1") as http:
            dossier = http.post(f"/v1/persons/{edna}/export", json={"requested_on": "2026-03-01"}).json()
            say(f"She asks what is held about her, and is handed {len(dossier['events'])} events:")
            for event in dossier["events"]:
                say(shown(event))
            asked = {"contact_id": edna, "legal_basis": "consent_withdrawn", "requested_on": "2026-03-02"}
            receipt = http.post("/v1/commands/erase_contact", json=asked).json()
            say("She asks to be forgotten; events recorded:", len(receipt["event_ids"]))
            again = http.post("/v1/commands/erase_contact", json=asked).json()
            say("Asked again; events recorded:", len(again["event_ids"]))
            after = totals(http, school, again["position"])
            say("After:", after, "(the same)" if after == before else "(NOT THE SAME)")
            timeline = http.get(
                f"/v1/customers/{school}/timeline", params={"order": "recorded", "limit": 100, "at_least": again["position"]}
            ).json()["items"]
            say("The school's timeline:")
            for event in timeline:
                say(shown(event))
            told = http.post("/v1/commands/change_contact_details", json={"contact_id": edna, "name": NAME}).json()
            say("Somebody enters her again:", told["code"])
        say("Looking for her, with every key there is:")
        tell("the folder", search(settings.data, settings))
        tell("last week's backup", search(backup, settings))

        shutil.copyfile(Folder(settings.data).erasures, backup / "erasures.jsonl")
        restored = Settings(data=backup)
        say("Last week's backup is put back, log and keys, under today's list of erasures:")
        with open_daybook(restored) as daybook, TestClient(create_app(daybook), base_url="http://127.0.0.1") as http:
            contact = http.get(f"/v1/contacts/{edna}", params={"at_least": daybook.books.log.head()}).json()
            say("  her name:", contact["name"], "- erased:", "yes" if contact["erased"] else "NO")
        tell("the folder", search(backup, restored))
        outside = Outside(keys=[key_of(settings).public], checkpoints={"kept outside": checkpoint})
        sound = verify(str(Folder(settings.data).log), Folder(settings.data).audit, outside).sound
        say("The audit against the checkpoint from before:", "nothing was altered" if sound else "ALTERED")


if __name__ == "__main__":
    main()
