"""H7: an audit that cannot diverge from the state, because both are read from the same events, and that proves it.

A deal is made; its history, as the audit tells it, adds up to what the read models show. Then somebody edits the database behind
our back, in three ways of rising effort, and is found each time.

Run it from the repository: python -m examples.h7_audit
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.auditing import key_of
from api.folder import Folder
from api.settings import Settings
from api.wiring import open_daybook
from examples.showing import STAGES, give, say
from replay.audit import verifier
from replay.audit.verification import Outside, verify


def make_history(http: TestClient) -> str:
    """A customer with a deal that is won; the customer."""
    pipeline = give(http, "define_pipeline", name="Sales", stages=STAGES)
    customer = give(http, "register_customer", name="Kwik-E-Mart", owner_id="moses.frase")
    deal = give(
        http,
        "open_opportunity",
        customer_id=customer,
        pipeline_id=pipeline,
        name="Squishee machines",
        amount="900.00",
        owner_id="moses.frase",
    )
    give(http, "change_opportunity_amount", opportunity_id=deal, amount="1200.00")
    give(http, "move_opportunity", opportunity_id=deal, to_stage="offer")
    give(http, "win_opportunity", opportunity_id=deal)
    return customer


def tell(history: dict[str, Any]) -> None:
    """Each event with what it changed of what was there before."""
    for event in history["events"]:
        say(f"  {event['position']:>2}", event["says"])
        for change in event["changes"]:
            if change["before"] is not None:
                say(f"       {change['field']}: {change['before']} → {change['after']}")


def look(settings: Settings, kept: Sequence[str]) -> None:
    """Verify, with the checkpoints that were kept outside."""
    folder = Folder(settings.data)
    checkpoints = {f"checkpoint no. {number} kept outside": note for number, note in enumerate(kept, 1)}
    found = verify(str(folder.log), folder.audit, Outside(keys=[key_of(settings).public], checkpoints=checkpoints))
    say("  sound:", "yes" if found.sound else "NO")
    for finding in found.findings:
        say(f"  {finding.kind}: {finding.message}")


def edit(settings: Settings) -> None:
    """What somebody with access to the file may do: the amount becomes another."""
    with closing(sqlite3.connect(Folder(settings.data).log)) as connection, connection:
        connection.execute("UPDATE stored_events SET state = replace(state, '1200.00', '9200.00') WHERE topic = 'opportunity.won'")


def main() -> None:
    """Show it."""
    with TemporaryDirectory(prefix="daybook-h7-") as name:
        settings = Settings(data=Path(name) / "data")
        outside = Path(name) / "auditor"
        outside.mkdir()
        with open_daybook(settings) as daybook, TestClient(create_app(daybook), base_url="http://127.0.0.1") as http:
            customer = make_history(http)
            first = http.get("/v1/audit/checkpoint").text
            give(http, "register_customer", name="Later Ltd")
            second = http.get("/v1/audit/checkpoint").text
            key = http.get("/v1/audit/key").text
            position = daybook.books.log.head()
            history = http.get(f"/v1/audit/customers/{customer}", params={"older": first.split("\n")[1]}).json()
            state = http.get(f"/v1/customers/{customer}", params={"at_least": position}).json()
        say("The customer's history, from the log:")
        tell(history)
        won = sum(Decimal(event["data"]["base_amount"]) for event in history["events"] if event["type"] == "opportunity.won")
        say(f"The audit adds up to {won:.2f}; the read model shows {state['deals']['won_revenue']}.")

        say("An auditor verifies it elsewhere, with one file and no Daybook:")
        (outside / "verify.py").write_bytes(Path(verifier.__file__).read_bytes())
        (outside / "history.json").write_text(json.dumps(history), encoding="utf-8")
        (outside / "older.txt").write_text(first, encoding="utf-8")
        command = [sys.executable, "-I", "-S", "verify.py", "history.json", "--key", key, "--checkpoint", "older.txt"]
        verified = subprocess.run(command, cwd=outside, capture_output=True, text=True, check=False)  # noqa: S603 - the file that was written above
        for line in verified.stdout.splitlines():
            say(" ", line.replace(key.split("+", maxsplit=1)[0], "this log"))

        say("Nobody has touched anything:")
        shutil.copytree(settings.data, outside / "before")
        look(settings, [first, second])
        say("Somebody edits the amount of the won deal in the database:")
        edit(settings)
        look(settings, [])
        say("Somebody also has all hashes made anew:")
        Folder(settings.data).audit.unlink()
        look(settings, [first, second])
        say("Somebody puts a copy of yesterday back, before the last customer came:")
        shutil.rmtree(settings.data)
        shutil.copytree(outside / "before", settings.data)
        with closing(sqlite3.connect(Folder(settings.data).log)) as connection, connection:
            last = int(second.split("\n")[1])
            connection.execute("DELETE FROM stored_events WHERE position = ?", (last,))
            connection.execute("DELETE FROM receipts WHERE position = ?", (last,))
        Folder(settings.data).audit.unlink()
        look(settings, [first, second])


if __name__ == "__main__":
    main()
