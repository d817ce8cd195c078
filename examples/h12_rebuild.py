"""H12: every read model rebuilt while it serves, proven equal before it is switched in, and gone back from by one command.

A made-up company's events are archived and its read models rebuilt from the archive, while customers go on being registered and the lists
go on being read. Then somebody changes a figure behind our back, and a file of the archive is damaged: both are found, named and mended.

Run it from the repository: python -m examples.h12_rebuild
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.demo.fill import fill
from api.settings import Settings
from api.wiring import open_books, open_daybook
from examples.showing import give, say

EVENTS = 3_000
_RAISE = "UPDATE {0} SET won_revenue = won_revenue + 10000 WHERE won_revenue = (SELECT max(won_revenue) FROM {0})"


def post(http: TestClient, path: str, **body: Any) -> Any:
    """The answer to a request."""
    return http.post(path, json=body).raise_for_status().json()


def customers(http: TestClient) -> int:
    """How many the read models have, after all that was written."""
    head = http.get("/v1/events", params={"limit": 1}).json()["head"]
    return int(http.post("/v1/sql", params={"at_least": head}, json={"sql": "SELECT count(*) FROM customers"}).json()["rows"][0][0])


def rebuild_while_serving(http: TestClient) -> None:
    """Rebuild everything while customers are registered and counted."""
    before, over, registered = customers(http), Event(), 0

    def register() -> None:
        nonlocal registered
        while not over.is_set() or registered < 3:
            registered += 1
            give(http, "register_customer", name=f"Customer {registered}")
            if customers(http) != before + registered:
                say("a reader did not see what was just written")

    writing = Thread(target=register)
    writing.start()
    rebuilt = post(http, "/v1/rebuild", folds=None)
    over.set()
    writing.join()
    say("rebuilt while customers were registered and read:", len(rebuilt["rebuilt"]), "read models")
    say(
        "compared row by row with what served:",
        len(rebuilt["checked"]),
        "tables,",
        sum(c["rows_apart"] for c in rebuilt["checked"]),
        "rows apart",
    )
    say("every customer is there:", customers(http) == before + registered)


def tamper(http: TestClient, data: Path) -> None:
    """Change a figure behind our back; find it, mend it, and see that there is a way back."""
    with closing(sqlite3.connect(data / "lookups.db")) as lookups, lookups:
        (table,) = lookups.execute("SELECT fold || '__' || number FROM folds WHERE fold = 'customer_360' AND state = 'serving'").fetchone()
        lookups.execute(_RAISE.format(table))
    found = post(http, "/v1/verify", folds=["customer_360"])
    say("somebody changed a figure; verify finds equal:", found["equal"], [(c["fold"], c["rows_apart"]) for c in found["checked"]])
    rebuilt = post(http, "/v1/rebuild", folds=["customer_360"])
    say("a rebuild says so too:", [(c["fold"], c["rows_apart"]) for c in rebuilt["checked"]])
    say("and now they are equal:", post(http, "/v1/verify", folds=["customer_360"])["equal"])
    back = post(http, "/v1/rollback", fold="customers")["serving"]
    say("one command back to what served before:", sorted({each["fold"] for each in back}))


def damage(http: TestClient, data: Path) -> None:
    """Damage a file of the archive: it is named, not used, and written anew."""
    file = min((data / "archive" / "opportunity.opened").glob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    rebuilt = post(http, "/v1/rebuild", folds=["opportunities"])
    [trouble] = http.get("/v1/folds").json()["archive"]["troubles"]
    say("a bit of a file was flipped:", trouble["file"].split("/")[0], trouble["why"])
    say("what was rebuilt is right all the same, rows apart:", [c["rows_apart"] for c in rebuilt["checked"]])
    written = post(http, "/v1/archive", verify=True)
    say("written anew:", sum(segment["files"] for segment in written["written"] if segment["upto"] <= trouble["upto"]), "file")
    say("troubles left:", written["archive"]["troubles"])


def main() -> None:
    """Show all of it."""
    logging.disable(logging.ERROR)  # what is shown is also logged
    with TemporaryDirectory(prefix="daybook-") as name:
        settings = Settings(data=Path(name), archive=False)
        with open_books(settings) as books:
            fill(books.log, events=EVENTS)
        with open_daybook(settings, follow=True) as opened, TestClient(create_app(opened), base_url="http://127.0.0.1") as http:
            archived = post(http, "/v1/archive")["archive"]
            say("archived up to the last event:", archived["lag"] == 0, "and nothing is wrong:", archived["troubles"] == [])
            rebuild_while_serving(http)
            tamper(http, settings.data)
            damage(http, settings.data)
    logging.disable(logging.NOTSET)


if __name__ == "__main__":
    main()
